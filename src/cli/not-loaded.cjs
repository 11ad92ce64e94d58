// Stands in for node:http2 in the built program: undici loads it, and TLS with it, for a protocol that is not spoken here.
module.exports = { constants: {} }
