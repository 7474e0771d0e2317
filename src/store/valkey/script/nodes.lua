-- Nodes: joining, reporting and leaving, and taking back what a dead session had claimed.

S.NODE_ROWS = S.P .. 'nodes'

-- A node is {session, until, report, seenAt, leftAt, wanted workers, skew, format, summary}. The
-- summary is what other nodes watch.
function S.node_of(id)
  local text = rcall('HGET', S.NODE_ROWS, id)
  return text and S.decode(text) or nil
end

function S.save_node(id, node)
  rcall('HSET', S.NODE_ROWS, id, S.encode(node))
end

function S.node_answer(id, node)
  local until_at = math.ceil(S.wall + node[2] - S.mono)
  return {id, node[1], until_at, node[3], node[4], node[5], node[6], node[7], node[8]}
end

-- Take back the claims of a node, except those whose fences are in `keeps`, by instance.
function S.take_back(id, keeps)
  local lost = {}
  for _, instance in ipairs(rcall('ZRANGE', S.settled(S.LEASES), 0, -1)) do
    local r = S.row(instance)
    local is_claimed = r and r[STATE] == PROCESSING and not S.is_elsewhere(r)
    local is_lost = is_claimed and r[NODE] == id and keeps[instance] ~= r[FENCE]
    if is_lost then lost[#lost + 1] = instance end
  end
  for _, instance in ipairs(lost) do S.lose_attempt(instance, S.row(instance)) end
  return lost
end

function S.forget_nodes()
  local list = rcall('HGETALL', S.NODE_ROWS)
  for i = 1, #list, 2 do
    if S.decode(list[i + 1])[2] + NODE_KEPT_MS <= S.mono then
      rcall('HDEL', S.NODE_ROWS, list[i])
    end
  end
end

-- Make a node from {id, report, lease, summary, its own clock, its format}.
function S.new_node(op, session, wanted)
  local skew = op[8] and S.floor(op[8] - S.wall + 0.5)
  return {session, S.mono + op[6], op[5], S.wall, false, wanted, skew, op[9], op[7]}
end

function S.join_node(op)
  local id, replaced = op[4], op[10]
  local there = S.node_of(id)
  local is_replaced = there and there[1] == replaced
  if there and there[2] > S.mono and not is_replaced then return nil, {'nodeLive', id, there[3]} end
  S.forget_nodes()
  if not there and rcall('HLEN', S.NODE_ROWS) >= NODES_MAX then
    return nil, {'nodesFull', id, NODES_MAX}
  end
  local recovered = is_replaced and S.take_back(id, op[11]) or {}
  local node = S.new_node(op, S.max((there and there[1] or 0) + 1, S.at), false)
  S.save_node(id, node)
  S.hint('nodes')
  return {S.node_answer(id, node), S.answer_rows(recovered)}
end

function S.report_node(op)
  local id, session = op[4], op[10]
  local there = S.node_of(id)
  if not there then return nil, {'nodeForgotten', id} end
  if there[1] ~= session or there[5] then
    return nil, {'nodeGone', id, there[1] ~= session and there[3]}
  end
  local was_live, served = there[2] > S.mono, there[9]
  local node = S.new_node(op, session, there[6])
  S.save_node(id, node)
  if not was_live or served ~= node[9] then S.hint('nodes') end
  return S.node_answer(id, node)
end

function S.leave_node(op)
  local id, session = op[4], op[5]
  local there = S.node_of(id)
  if not there or there[1] ~= session or there[5] then return false end
  there[2], there[4], there[5] = S.mono, S.wall, S.wall
  S.save_node(id, there)
  S.hint('nodes')
  return true
end

function S.list_nodes()
  local list, answer = rcall('HGETALL', S.NODE_ROWS), {}
  for i = 1, #list, 2 do
    local node = S.decode(list[i + 1])
    if node[2] + NODE_KEPT_MS > S.mono then answer[#answer + 1] = S.node_answer(list[i], node) end
  end
  return answer
end

function S.set_node_workers(op)
  local id, workers = op[4], op[5]
  local there = S.node_of(id)
  if not there or there[2] <= S.mono then
    local live, list = {}, rcall('HGETALL', S.NODE_ROWS)
    for i = 1, #list, 2 do
      if S.decode(list[i + 1])[2] > S.mono then live[#live + 1] = list[i] end
    end
    return nil, {'noNode', id, live}
  end
  there[6] = workers
  S.save_node(id, there)
  S.hint('nodes')
  return S.node_answer(id, there)
end

S.ACTIONS.joinNode, S.ACTIONS.reportNode, S.ACTIONS.leaveNode =
  S.join_node, S.report_node, S.leave_node
S.ACTIONS.listNodes, S.ACTIONS.setNodeWorkers = S.list_nodes, S.set_node_workers
