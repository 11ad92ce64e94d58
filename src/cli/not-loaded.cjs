// Stands in, in the built program, for modules of Node's that packages load for something which is not used here: undici
// HTTP/2 (and TLS with it), and commander the starting of other programs.
module.exports = { constants: {} }
