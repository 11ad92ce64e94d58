import { collectGarbage } from '../../../src/server/garbage/collect.ts'

// A process of its own that collects in a folder: DIR GRACE [once]. It goes on until it is killed, and prints how many
// files it has removed each time.
const [dir = '', grace = '0', once] = process.argv.slice(2)
do {
  const { removed, failures } = await collectGarbage(dir, { graceMs: Number(grace) })
  console.log(`removed ${removed.length}, failures ${failures.length}`)
} while (once === undefined)
