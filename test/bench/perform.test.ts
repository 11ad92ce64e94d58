import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { hasMeter, measure } from './measure.ts'
import { perform } from './perform.ts'

const signal = new AbortController().signal
const script = (text: string, ...args: string[]) => ({
  program: process.execPath,
  args: ['-e', text, ...args],
})

it('a command has an empty home and what it was given, and takes its time', async () => {
  await using folder = await makeTempDir()
  const file = join(folder.path, 'env')
  const text = `fs.writeFileSync(${JSON.stringify(file)}, JSON.stringify([process.env, fs.readdirSync(os.homedir())]))`
  expect(await perform({ ...script(text), env: { GIVEN: 'yes' } }, signal)).toBeGreaterThan(0)
  const [env, home] = JSON.parse(await readFile(file, 'utf8'))
  expect(Object.keys(env)).toEqual(['PATH', 'HOME', 'GIVEN'])
  expect(home).toEqual([])
})

it('a command that fails is told of with what it said', async () => {
  const failing = perform(script('console.error("no such image"); process.exit(3)'), signal)
  await expect(failing).rejects.toThrow(/ended with 3: no such image/)
})

it('a program that is not there is told of', async () => {
  await expect(perform({ program: '/nowhere/crane', args: [] }, signal)).rejects.toThrow('ENOENT')
})

it('what a command started ends with it when the bench is interrupted', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const inner = `net.connect(${(server.address() as AddressInfo).port}, '127.0.0.1')`
  const interruption = new AbortController()
  const outer = `child_process.spawn(process.execPath, ['-e', process.argv[1]])`
  const failing = expect(perform(script(outer, inner), interruption.signal)).rejects.toThrow('aborted')
  const [connection]: Socket[] = await once(server, 'connection')
  const gone = new Promise(resolve => connection?.on('close', resolve).on('error', () => undefined))
  interruption.abort()
  await failing
  await gone
  server.close()
})

it.skipIf(!requirePeers('docker-registry'))(
  'the requests of a run are counted, those before it are not',
  async () => {
    await using registry = await startDockerRegistry()
    const url = `${registry.url}/v2/`
    const ask = `fetch(${JSON.stringify(url)}).then(reply => fetch(reply.url))`
    const options = { registries: [registry], signal, meter: await hasMeter() }
    const runs = [await measure(script(ask), options), await measure(script(ask), options)]
    expect(runs.map(run => run.requests)).toEqual([2, 2])
  },
)

it.skipIf(!(await hasMeter()))('GNU time tells what a run cost', async () => {
  const text = 'const bytes = Buffer.alloc(200 * 2 ** 20, 1); while (process.cpuUsage().user < 100_000);'
  const { cpuMs, memoryMb } = await measure(script(text), { registries: [], signal, meter: true })
  expect(cpuMs).toBeGreaterThanOrEqual(50)
  expect(memoryMb).toBeGreaterThan(200)
})
