// Stands in, in the built program, for node:http, which takes milliseconds to load: undici asks it for these two, and the
// rest of the program takes Node's own where it needs it (`process.getBuiltinModule`).
module.exports = { IncomingMessage: class {}, maxHeaderSize: 16 * 1024 }
