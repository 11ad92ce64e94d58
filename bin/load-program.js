'use strict'
// V8 compiles a function when it is first called. What a verb needed is kept in the user's cache folder, so that its next run
// need not compile it again. Node's own compile cache keeps nothing that was compiled so late, and Node 20 has none.
const fs = require('node:fs')
const { createRequire, enableCompileCache } = require('node:module')
const { dirname, isAbsolute, join } = require('node:path')
const { Script } = require('node:vm')
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants

const maxFiles = 16
const maxFileBytes = 16 * 1024 * 1024
/** What `loadProgram` and `keep` call their files; the folder may hold others. */
const ownName = /^[a-z][a-z-]*-v\d+\.\d+\.\d+[^/]*-\d+-\d+-\d+(\.\d+)?$/

/** Loads the built program, with the code that an earlier run of the same verb has left. */
exports.loadProgram = function loadProgram(program, [verb = '', ...rest]) {
  const isHelp = rest.includes('--help') || rest.includes('-h')
  const folder = /^[a-z][a-z-]*$/.test(verb) && !isHelp ? cacheFolder() : undefined
  if (folder === undefined) {
    enableCompileCache?.()
    return require(program)
  }
  // V8 itself compares lengths only. Archives set the time of the modification, but not that of the change.
  const { size, ino, ctimeMs } = fs.statSync(program)
  const file = join(
    folder,
    `${verb}-${process.version}-${process.arch}-${size}-${ino}-${Math.floor(ctimeMs)}`,
  )
  const source = `(function (exports, require, module, __filename, __dirname) {${fs.readFileSync(program, 'latin1')}\n})`
  const cachedData = readOwnFile(file)
  const script = new Script(source, { filename: program, cachedData })
  if (cachedData === undefined || script.cachedDataRejected) {
    const header = headerNow()
    process.on('exit', code => {
      if (code === 0) keep(file, withHeaderOf(header, script.createCachedData()))
    })
  }
  const loaded = { exports: {} }
  script.runInThisContext()(loaded.exports, createRequire(program), loaded, program, dirname(program))
  return loaded.exports
}

/** Undefined where compiled code is not to be kept, or others could put something in its place: Windows has no owners by number. */
function cacheFolder() {
  const { NODE_DISABLE_COMPILE_CACHE, XDG_CACHE_HOME = '', HOME = '' } = process.env
  if (NODE_DISABLE_COMPILE_CACHE || process.getuid === undefined) return undefined
  const [top, ...below] = isAbsolute(XDG_CACHE_HOME) ? [XDG_CACHE_HOME, 'dray'] : [HOME, '.cache', 'dray']
  if (!isAbsolute(top)) return undefined
  let folder = top
  try {
    // Also under sudo, with another's HOME: nothing is made in a folder that is not ours, nor followed out of it.
    if (!isOwn(fs.statSync(folder))) return undefined
    for (const name of below) {
      folder = join(folder, name)
      if (!fs.existsSync(folder)) fs.mkdirSync(folder, { mode: 0o700 })
      if (!isOwn(fs.statSync(folder))) return undefined
    }
    return folder
  } catch {
    // Where there is none and none can be made, the program starts a little slower.
    return undefined
  }
}

function isOwn({ uid, mode }) {
  return uid === process.getuid() && (mode & 0o022) === 0
}

/** The code in a file of a folder that only we can write to; undefined where there is none, or something else. */
function readOwnFile(file) {
  let opened
  try {
    opened = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    const stats = fs.fstatSync(opened)
    if (!stats.isFile() || !isOwn(stats) || stats.size > maxFileBytes) return undefined
    return ifWhole(fs.readFileSync(opened))
  } catch {
    // Without it, the program starts a little slower.
    return undefined
  } finally {
    if (opened !== undefined) fs.closeSync(opened)
  }
}

/**
 * V8 does not look whether code is whole, and may crash or hang with what a disk has spoilt. So it is there twice: to compare takes a
 * tenth of a millisecond, while what counts a checksum takes several to load.
 */
function ifWhole(bytes) {
  const code = bytes.subarray(0, bytes.length / 2)
  return code.equals(bytes.subarray(code.length)) ? code : undefined
}

/** Leaves code for the next run, and removes the oldest of many. */
function keep(file, data) {
  const written = `${file}.${process.pid}`
  try {
    fs.writeFileSync(written, Buffer.concat([data, data]), { mode: 0o600, flag: 'wx', flush: true })
    fs.renameSync(written, file)
    removeOldest(dirname(file))
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

function removeOldest(folder) {
  const files = fs
    .readdirSync(folder)
    .filter(name => ownName.test(name))
    .map(name => join(folder, name))
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
 * V8 refuses code that was written under other flags than are set when it is loaded. The program sets some on its way, for the
 * sake of memory (`keepMemorySmall`), on which compiled code does not depend: what they changed in the header is changed back.
 */
function withHeaderOf(before, data) {
  const after = headerNow()
  for (const [at, byte] of before.entries()) if (byte !== after[at]) data[at] = byte
  return data
}
