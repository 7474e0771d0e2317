// A job of BullMQ that runs in a child process and does nothing.
module.exports = async () => {};
