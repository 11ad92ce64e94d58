'use strict'
// V8 compiles a function when it is first called. What a verb needed is kept in the user's cache folder, so that its next run
// need not compile it again. Node's own compile cache keeps nothing that was compiled so late, and Node 20 has none.
const fs = require('node:fs')
const { createRequire, enableCompileCache } = require('node:module')
const { dirname, isAbsolute, join } = require('node:path')
const { Script } = require('node:vm')

const maxFiles = 16
const maxFileBytes = 16 * 1024 * 1024

/** Loads the built program, with the code that an earlier run of the same verb has left. */
exports.loadProgram = function loadProgram(program, [verb = '', ...rest]) {
  const folder = /^[a-z][a-z-]*$/.test(verb) ? cacheFolder() : undefined
  if (folder === undefined) {
    enableCompileCache?.()
    return require(program)
  }
  const { size, mtimeMs } = fs.statSync(program)
  const file = join(folder, `${verb}-${process.version}-${process.arch}-${size}-${Math.floor(mtimeMs)}`)
  const source = `(function (exports, require, module, __filename, __dirname) {${fs.readFileSync(program, 'latin1')}\n})`
  const cachedData = readOwnFile(file)
  const script = new Script(source, { filename: program, cachedData })
  // The help of a verb needs little of it.
  if (
    (cachedData === undefined || script.cachedDataRejected) &&
    !rest.includes('--help') &&
    !rest.includes('-h')
  ) {
    const header = headerNow()
    process.on('exit', code => {
      if (code === 0) keep(file, withHeaderOf(header, script.createCachedData()))
    })
  }
  const loaded = { exports: {} }
  script.runInThisContext()(loaded.exports, createRequire(program), loaded, program, dirname(program))
  return loaded.exports
}

/** Undefined where compiled code is not to be kept, or not known to be the user's own: Windows has no owners by number. */
function cacheFolder() {
  const { NODE_DISABLE_COMPILE_CACHE, XDG_CACHE_HOME = '', HOME = '' } = process.env
  if (NODE_DISABLE_COMPILE_CACHE || process.getuid === undefined) return undefined
  if (isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, 'dray')
  return isAbsolute(HOME) ? join(HOME, '.cache/dray') : undefined
}

/** A file that nobody but its owner, who runs us, can have written: compiled code does what its author wants. */
function readOwnFile(file) {
  let opened
  try {
    opened = fs.openSync(file, 'r')
    const { uid, mode, size } = fs.fstatSync(opened)
    const isOwn = uid === process.getuid() && (mode & 0o022) === 0
    return isOwn && size <= maxFileBytes ? ifWhole(fs.readFileSync(opened)) : undefined
  } catch {
    // Without it, the program starts a little slower.
    return undefined
  } finally {
    if (opened !== undefined) fs.closeSync(opened)
  }
}

/**
 * V8 does not look whether code is whole, and may crash or hang with what a disk has spoilt. So it is there twice: to compare takes a
 * tenth of a millisecond, while whatever counts a checksum takes several to load.
 */
function ifWhole(bytes) {
  const code = bytes.subarray(0, bytes.length / 2)
  return code.equals(bytes.subarray(code.length)) ? code : undefined
}

/** Leaves code for the next run, and removes the oldest of many. */
function keep(file, data) {
  const folder = dirname(file)
  const written = `${file}.${process.pid}`
  try {
    makeFolder(dirname(folder))
    makeFolder(folder)
    // Somebody else's folder, as under sudo, must not fill with files that he cannot remove.
    if (fs.statSync(folder).uid !== process.getuid()) return
    fs.writeFileSync(written, Buffer.concat([data, data]), { mode: 0o600, flag: 'wx', flush: true })
    fs.renameSync(written, file)
    removeOldest(folder)
  } catch {
    // A cache folder that is not there, not writable or on a full disk is no fault of the command's.
    remove(written)
  }
}

function remove(path) {
  try {
    fs.unlinkSync(path)
  } catch {
    // It was never made.
  }
}

function makeFolder(path) {
  if (!fs.existsSync(path)) fs.mkdirSync(path, { mode: 0o700 })
}

function removeOldest(folder) {
  const files = fs.readdirSync(folder).map(name => join(folder, name))
  const byAge = files
    .map(path => ({ path, at: fs.statSync(path).mtimeMs }))
    .sort((one, other) => other.at - one.at)
  for (const { path } of byAge.slice(maxFiles)) fs.unlinkSync(path)
}

/** What V8 writes in front of compiled code, the hash of its flags included. */
function headerNow() {
  return new Script('0').createCachedData()
}

/**
 * V8 refuses code that was written under other flags than are set when it is loaded. The program sets two on its way, for the
 * sake of memory (`keepMemorySmall`), on which compiled code does not depend: what they changed in the header is changed back.
 */
function withHeaderOf(before, data) {
  const after = headerNow()
  for (const [at, byte] of before.entries()) if (byte !== after[at]) data[at] = byte
  return data
}
