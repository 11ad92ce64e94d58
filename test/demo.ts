/**
 * `npm run demo`: the program's main job, shown as commands with their output. Two registries of its own, one that wants
 * a bearer token and one that wants Basic, and the small multi-arch image of `fixtures/` that travels between them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { hash } from 'bcryptjs'

const program = join(import.meta.dirname, '../bin/dray.js')
const fixture = join(import.meta.dirname, '../fixtures/hello')
const password = 'correct horse battery staple'

const home = await mkdtemp(join(tmpdir(), 'dray-demo-'))
const env = {
  ...process.env,
  HOME: home,
  DOCKER_CONFIG: join(home, '.docker'),
  DRAY_USERNAME: '',
  DRAY_PASSWORD: '',
}
const servers: ChildProcess[] = []
const start = performance.now()
try {
  await writeFile(join(home, 'users'), `demo:${await hash(password, 6)}\n`)
  const first = await serve('first', ['--auth', 'token'])
  const second = await serve('second', ['--auth', 'basic'])
  await story(first, second)
} finally {
  for (const server of servers) await stop(server)
  await rm(home, { recursive: true, force: true })
}
say(`both registries stopped; ${((performance.now() - start) / 1000).toFixed(1)} s in all`)

async function story(first: string, second: string): Promise<void> {
  say(`two registries of our own: ${first} wants a bearer token, ${second} wants Basic`)
  await dray(`login --store docker --username demo --password-stdin ${first}`, { input: password })
  await dray(`login --store docker --username demo --password-stdin ${second}`, { input: password })

  say('a real image for three platforms goes from a folder into the first registry')
  await dray(`copy oci:${fixture}:1.0 ${first}/demo/hello:1.0`)
  await dray(`ls ${first}/demo/hello`)
  await dray(`inspect ${first}/demo/hello:1.0`)

  say('from one registry to the other, all platforms, byte for byte')
  await dray(`copy ${first}/demo/hello:1.0 ${second}/mirror/hello:1.0`)
  say('once more: there is nothing to do')
  await dray(`copy ${first}/demo/hello:1.0 ${second}/mirror/hello:1.0`)

  say('more tags, without moving content; the digest is the same at both ends')
  await dray(`tag ${second}/mirror/hello:1.0 1 latest`)
  await dray(`digest ${first}/demo/hello:1.0`)
  await dray(`digest ${second}/mirror/hello:latest`)
  await dray(`ls --digests ${second}/mirror/hello`)

  say('one tag goes, the others of the same image stay')
  await dray(`delete ${second}/mirror/hello:1`)
  await dray(`ls ${second}/mirror/hello`)

  say('and what goes wrong is said in a line')
  await dray(`digest ${second}/mirror/hello:2.0`, { exitCode: 3 })
}

interface Expectation {
  readonly input?: string
  readonly exitCode?: number
}

/** Runs one command as a user would, and fails when it does not end as it should. */
async function dray(line: string, { input = '', exitCode = 0 }: Expectation = {}): Promise<void> {
  console.log(
    `\n$ ${input === '' ? '' : 'echo "$PASSWORD" | '}dray ${line.replaceAll(fixture, 'fixtures/hello')}`,
  )
  const child = spawn(process.execPath, [program, ...line.split(' ')], {
    env,
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  if (code !== exitCode) throw new Error(`it ended with exit code ${code}, not ${exitCode}`)
  if (exitCode !== 0) console.log(`(exit code ${exitCode})`)
}

/** Starts a registry on a free port, and answers its host and port once it listens. */
async function serve(name: string, flags: readonly string[]): Promise<string> {
  const args = [
    'serve',
    join(home, name),
    '--address',
    '127.0.0.1:0',
    '--htpasswd',
    join(home, 'users'),
    '--quiet',
    ...flags,
  ]
  const server = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  servers.push(server)
  for await (const line of createInterface({ input: server.stdout })) {
    const host = /http:\/\/(\S+)/.exec(line)?.[1]
    if (host !== undefined) return host
  }
  throw new Error(`the ${name} registry did not start`)
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = once(server, 'close')
  server.kill('SIGINT')
  await ended
}

function say(text: string): void {
  console.log(`\n── ${text}`)
}
