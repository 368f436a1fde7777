// What this process listens on is the loopback alone: the client binds its peer port to every address.
'use strict';
const net = require('net');
const dgram = require('dgram');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const first = given[0];
  if (first && typeof first === 'object') {
    if (!first.path) given[0] = { ...first, host: '127.0.0.1' };
  } else if (!Number.isNaN(Number(first))) {
    given.splice(1, typeof given[1] === 'string' ? 1 : 0, '127.0.0.1');
  }
  return listen.apply(this, given);
};

const bind = dgram.Socket.prototype.bind;
dgram.Socket.prototype.bind = function (...given) {
  if (typeof given[0] === 'number') given.splice(1, typeof given[1] === 'string' ? 1 : 0, '127.0.0.1');
  return bind.apply(this, given);
};

// Node 20 does not have it, and the client asks for it.
if (!Promise.withResolvers) {
  Promise.withResolvers = function () {
    const made = {};
    made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }));
    return made;
  };
}
