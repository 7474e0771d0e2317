-- Settings of luacheck for the Lua of the store on Valkey. `npm run ok` runs it.
-- The parts are one script at run time; src/store/valkey/script/script.ts assembles it.
local FOLDER = "src/store/valkey/script/"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

-- Names that script.ts replaces by numbers.
local numbers = {}
for name in read(FOLDER .. "constants.ts"):gmatch("\n%s*([A-Z][A-Z_]*[A-Z])[,:]") do
  numbers[#numbers + 1] = name
end

-- Members of the table S that some part sets. Any other member is a spelling mistake.
local members = {}
for path in io.popen("ls " .. FOLDER .. "*.lua"):lines() do
  local text = read(path)
  for name in text:gmatch("function S%.([%w_]+)") do members[name] = {read_only = false} end
  for left in text:gmatch("\n%s*(S%.[%w_., ]+) =%s") do
    for name in left:gmatch("S%.([%w_]+)") do
      members[name] = {read_only = false, other_fields = true}
    end
  end
end

std = "lua51"
max_line_length = 100
globals = {S = {fields = members}, FAMILIES = {other_fields = true}}
read_globals = {
  "KEYS", "ARGV", "cjson", "cmsgpack", "struct", "rcall", "COMMANDS",
  redis = {fields = {"call", "pcall", "acl_check_cmd"}},
  unpack(numbers),
}
