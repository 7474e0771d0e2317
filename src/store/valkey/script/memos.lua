-- Memos: small documents with a version, and the news that wait to be processed into them. Calls in
-- which the end of an instance or a missed tick is news, or that record steps, define this family
-- too.

S.MEMOS, S.MEMO_DATA, S.MEMO_KEYS = S.P .. 'memos', S.P .. 'memodata', S.P .. 'memokeys'
S.NEWS = S.P .. 'news:'

-- Memos that this call read or wrote, by key; false for none. A memo is {version, watch, number of
-- dropped news, number of waiting news}. Its text and its news are stored separately, so that news
-- can be added without reading them.
S.memos = {}

function S.memo_of(key)
  local found = S.memos[key]
  if found == nil then
    local text = rcall('HGET', S.MEMOS, key)
    found = text and S.decode(text) or false
    S.memos[key] = found
  end
  return found
end

function S.begins_with(text, start)
  return S.sub(text, 1, #start) == start
end

-- Note in the head, which every call reads, what decides whether ends are news: how many nodes ask
-- for news, and how many kinds have another watch than "failures". Nil stands for no memo.
function S.note_watch(key, before, after)
  local head = S.head
  if S.begins_with(key, WATCHER_MEMO) then
    local change = (after and 1 or 0) - (before and 1 or 0)
    head.watchers = (head.watchers or 0) + change
  elseif S.begins_with(key, JOB_MEMO) and before ~= after then
    local kind = S.sub(key, #JOB_MEMO + 1)
    local was, is = before and before ~= 'failures', after and after ~= 'failures'
    if is then
      rcall('HSET', S.WATCHES, kind, after)
    elseif was then
      rcall('HDEL', S.WATCHES, kind)
    end
    head.watches = (head.watches or 0) + (is and 1 or 0) - (was and 1 or 0)
    S.watches[kind] = after or 'failures'
  end
end

function S.save_memo(key, memo)
  local there = S.memo_of(key)
  rcall('HSET', S.MEMOS, key, S.encode(memo))
  if not there then rcall('ZADD', S.MEMO_KEYS, 0, key) end
  S.memos[key] = memo
  S.note_watch(key, there and there[2] or nil, memo[2])
end

-- Returns false if there is none.
function S.drop_memo(key)
  local there = S.memo_of(key)
  if not there then return false end
  rcall('HDEL', S.MEMOS, key)
  rcall('HDEL', S.MEMO_DATA, key)
  rcall('ZREM', S.MEMO_KEYS, key)
  rcall('DEL', S.NEWS .. key)
  S.memos[key] = false
  S.note_watch(key, there[2], nil)
  return true
end

-- Store news with their place, since HVALS returns them in any order. Returns false if they wait.
function S.put_news(key, version, place, news)
  local id, event, at, instance, detail = unpack(news)
  local order = version * NEWS_ORDER + place
  return rcall('HSETNX', S.NEWS .. key, id, S.encode({order, id, event, at, instance, detail})) == 1
end

-- Accept the instance that processes the news of a memo, unless its id exists.
function S.accept_notice(key, id)
  if S.row(id) then return end
  local fixed = S.encode({NEWS_CRASHES_MAX, false, NEWS_RETRY_MAX, NEWS_TIMEOUT_MS},
    '[' .. S.json_text(key) .. ']')
  S.accept_item({id, NEWS_KIND, false, NEWS_PRIORITY, S.wall, NEWS_KEEP_SUCCESS_MS,
    NEWS_KEEP_FAILURE_MS, fixed, false})
end

-- The escapes that JSON.stringify uses, by character.
S.escapes = setmetatable({}, {__index = function(known, char)
  local escaped = S.sub(cjson.encode(char), 2, -2)
  known[char] = escaped
  return escaped
end})

-- A text as JSON.
function S.json_text(text)
  return '"' .. string.gsub(text, '[%z\1-\31\\"]', S.escapes) .. '"'
end

function S.accept_item(item)
  if not S.insert_plain(item) then S.insert(item, false) end
end

-- Add news, each {id, event, at, instance id, detail}. Returns how many did not wait yet. Those
-- that find no room are counted.
function S.add_news(key, list, notice_id)
  local there = S.memo_of(key)
  local version, watch, dropped, waiting = unpack(there or {0, 'failures', 0, 0})
  local first, added, seen = waiting, 0, {}
  for i = 1, #list do
    local news = list[i]
    local id = news[1]
    if waiting < NEWS_MAX then
      if S.put_news(key, version + 1, waiting, news) then
        waiting, added = waiting + 1, added + 1
      end
    elseif not seen[id] and rcall('HEXISTS', S.NEWS .. key, id) == 0 then
      dropped, added, seen[id] = dropped + 1, added + 1, true
    end
  end
  if added == 0 then return 0 end
  -- A success that comes before news of a failure are processed must be among them.
  if watch == 'failures' and S.begins_with(key, JOB_MEMO) then watch = 'ends' end
  -- News that find no room leave the version, so that a flood of them cannot keep others from being
  -- processed.
  S.save_memo(key, {waiting > first and version + 1 or version, watch, dropped, waiting})
  if first == 0 then S.accept_notice(key, notice_id) end
  return added
end

-- An instance ends once, so its id is used once; another version sets the id of the notice apart.
local function notice_id_of(id)
  return S.sub(id, 1, 14) .. (S.sub(id, 15, 15) == '8' and '9' or '8') .. S.sub(id, 16)
end

S.END_EVENTS = {[COMPLETED] = 'completed', [TERMINATED] = 'terminated', [TIMED_OUT] = 'timedOut'}

-- Add the end of an instance to the memo of its job.
function S.tell_end(id, r)
  S.add_news(JOB_MEMO .. r[KIND], {{id, S.END_EVENTS[r[STATE]], r[SETTLED], id, r[REASON]}},
    notice_id_of(id))
end

-- Add to the memo of its job that an instance, which has ended, wrote output. Of the two notices
-- that one end may cause only the first is accepted.
function S.tell_output(id, r)
  S.add_news(JOB_MEMO .. r[KIND], {{'output:' .. id, 'output', r[SETTLED], id, false}},
    notice_id_of(id))
end

-- Add missed ticks to the memo of their job; see note_missed.
function S.tell_missed(kind, missed)
  for i = 1, #missed do
    local id, detail, notice_id = unpack(missed[i])
    S.add_news(JOB_MEMO .. kind, {{id, 'missed', S.wall, false, detail}}, notice_id)
  end
end

-- A memo as an answer: key, memo, text and news, which the reader sorts.
function S.answer_memo(answer, key)
  local n, memo = #answer, S.memo_of(key)
  answer[n + 1], answer[n + 2] = key, memo
  answer[n + 3] = rcall('HGET', S.MEMO_DATA, key) or ''
  answer[n + 4] = memo[4] > 0 and rcall('HVALS', S.NEWS .. key) or {}
end

-- Write or delete a memo: {key, expected version, watch or false, text, whether its news have been
-- processed, instances, how many dropped news they include}.
function S.put_memo(op)
  local key, expected, watch, data, is_processed, items, seen = unpack(op, 4, 10)
  local there, answer = S.memo_of(key), {}
  if (there and there[1]) ~= expected then return nil, {'memoChanged', key} end
  if not watch then
    S.drop_memo(key)
  else
    if is_processed and there and there[4] > 0 then rcall('DEL', S.NEWS .. key) end
    local version, dropped, waiting = 0, 0, 0
    if there then version, dropped, waiting = there[1], there[3], there[4] end
    if is_processed then dropped, waiting = S.max(0, dropped - seen), 0 end
    S.save_memo(key, {version + 1, watch, dropped, waiting})
    rcall('HSET', S.MEMO_DATA, key, data)
    S.answer_memo(answer, key)
  end
  for i = 1, #items do
    if not S.row(items[i][IN_ID]) then S.accept_item(items[i]) end
  end
  return answer
end

-- Add news that others noticed: {key, news, id of the instance that processes them}.
function S.add_noticed(op)
  return S.add_news(op[4], op[5], op[6])
end

-- Keys that begin with a prefix, from a place on. No text has the last byte.
function S.memo_keys(prefix, from, limit)
  return rcall('ZRANGEBYLEX', S.MEMO_KEYS, from, '(' .. prefix .. '\255', 'LIMIT', 0, limit)
end

-- Memos in the order of their keys. Large results come in parts; also returns whether it is one.
function S.list_memos(op)
  local prefix, from, limit = op[4], op[5], op[6]
  local keys, answer, bytes = S.memo_keys(prefix, from, limit), {}, 0
  for i = 1, #keys do
    if bytes > PART_BYTES then return {answer, true} end
    -- Only others who wrote to these keys can have left a key without a memo.
    if S.memo_of(keys[i]) then
      S.answer_memo(answer, keys[i])
      local n = #answer
      bytes = bytes + #answer[n - 1]
      for k = 1, #answer[n] do bytes = bytes + #answer[n][k] end
    end
  end
  return {answer, false}
end

function S.remove_memos(op)
  local keys = S.memo_keys(op[4], '[' .. op[4], op[5])
  for i = 1, #keys do S.drop_memo(keys[i]) end
  return #keys
end

-- Write a memo as a record has it: {key, version, watch, dropped news, text, news}.
function S.write_memo(item)
  local key, version, watch, dropped, data, list = unpack(item)
  rcall('DEL', S.NEWS .. key)
  for i = 1, #list do S.put_news(key, version, i - 1, list[i]) end
  S.save_memo(key, {version, watch, dropped, rcall('HLEN', S.NEWS .. key)})
  rcall('HSET', S.MEMO_DATA, key, data)
  return true
end

S.ACTIONS.listMemos, S.ACTIONS.putMemo, S.ACTIONS.addNews, S.ACTIONS.removeMemos =
  S.list_memos, S.put_memo, S.add_noticed, S.remove_memos
