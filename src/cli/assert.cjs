// Stands in, in the built program, for node:assert, which takes milliseconds to load: undici calls it, and no more.
module.exports = (value, message) => {
  if (!value) throw message instanceof Error ? message : new Error(message ?? 'an assertion of undici failed')
}
