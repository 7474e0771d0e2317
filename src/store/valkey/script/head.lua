-- The id, epoch and last revision of the data, false if there are none. A node asks for them on
-- each new connection, before anything else.

local head = redis.call('GET', KEYS[1] .. 'head')
if not head then return cmsgpack.pack(false) end
head = cmsgpack.unpack(head)
return cmsgpack.pack({head.id, head.epoch, head.rev})
