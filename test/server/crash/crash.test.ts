import { randomInt } from 'node:crypto'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { collectGarbage } from '../../../src/server/garbage/collect.ts'
import { type Running, start } from '../../support/run.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { Client } from './client.ts'
import { DiskCheck } from './disk.ts'
import { Ledger } from './ledger.ts'
import { type Chance, repositories, Writer } from './writer.ts'

const rounds = 50
/** File operations at which the registry is killed, and over how many of them the kills are spread. */
const kinds = [
  { kind: '.', count: 250 },
  { kind: 'rename', count: 30 },
  { kind: 'write|append', count: 60 },
  { kind: 'link|rm', count: 30 },
] as const
const killed = join(import.meta.dirname, 'killed-server.ts')
const unkilled = join(import.meta.dirname, '../serve-process.ts')

it('a registry that is killed fifty times in the middle of pushes loses nothing that it acknowledged', {
  timeout: 240_000,
}, async () => {
  const seed = Number(process.env.CRASH_SEED ?? randomInt(2 ** 31))
  try {
    await killAndLook(chanceOf(seed))
  } catch (cause) {
    throw new Error(`with CRASH_SEED=${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
})

async function killAndLook(chance: Chance): Promise<void> {
  await using folder = await makeTempDir()
  const dir = join(folder.path, 'registry')
  const ledger = new Ledger()
  const disk = new DiskCheck(dir)
  const writers = ['a', 'b', 'c', 'd', 'e', 'f'].map(name => new Writer({ name, chance, ledger }))
  let inFlight = 0
  for (let round = 0; round < rounds; round += 1) {
    const { kind, count } = kinds[round % kinds.length] ?? kinds[0]
    const number = 1 + Math.floor(((round + chance(100) / 100) / rounds) * count)
    const how = ['before', 'during', 'after'][chance(3)] ?? 'before'
    await using server = await start(process.execPath, [killed, dir, kind, `${number}`, how])
    const client = await clientOf(server)
    await ledger.settle(path => client.head(path))
    server.kill('SIGUSR2')
    const ends = await Promise.allSettled(writers.map(writer => writer.writeOn(client, round)))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    if (ends.some(end => end.status === 'fulfilled' && end.value)) inFlight += 1
    expect(await server.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
    await disk.check()
  }
  expect(inFlight).toBeGreaterThan(rounds * 0.8)
  await using server = await start(process.execPath, [unkilled, dir])
  const client = await clientOf(server)
  await ledger.settleAll(path => client.get(path))
  for (const repository of repositories) {
    for (const writer of writers) await writer.push(client, repository, rounds)
  }
  await ledger.settle(path => client.get(path))
  // What is younger than a minute may have a writer.
  for (const file of await disk.leftovers()) await utimes(join(dir, file), 0, 0)
  expect((await collectGarbage(dir, { graceMs: 0 })).failures).toEqual([])
  expect(await disk.leftovers()).toEqual([])
  // What is under a digest alone may be a manifest that was being deleted, and then it goes now.
  await ledger.settleAll(path => client.get(path), /\/manifests\/[a-f]-/)
  await disk.check()
}

async function clientOf(server: Running): Promise<Client> {
  const [url] = await server.printed(/^http:.*$/m)
  return new Client(url)
}

/** Numbers that look like chance and are the same for the same seed (mulberry32). */
function chanceOf(seed: number): Chance {
  let state = seed
  return limit => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}
