import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keychainProgram } from '../../src/cli/keychain-program.ts'
import { runHelper } from '../../src/credentials/helper-process.ts'
import { errorOf } from '../credentials/sandbox.ts'
import { type KeyringSession, keyringPeers, startKeyring } from '../support/keyring.ts'
import { requirePeers } from '../support/peers.ts'
import { projectFolder, type RunOptions, type RunResult, run } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { patience } from './dray.ts'

type Env = Readonly<Record<string, string>>

/** Runs the built `docker-credential-dray`. */
function helper(action: string, options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = keychainProgram()
  return run(program, [...args, action], options)
}

/** What the program printed, which has to succeed. */
async function said(action: string, input: string, env: Env): Promise<string> {
  const result = await helper(action, { input, env })
  expect(result, result.stdout + result.stderr).toMatchObject({ code: 0, stderr: '' })
  return result.stdout
}

/** What the program printed, which has to fail. */
async function fails(action: string, input: string, env: Env): Promise<string> {
  const result = await helper(action, { input, env })
  expect(result, result.stderr).toMatchObject({ code: 1, stderr: '' })
  return result.stdout
}

function login(ServerURL: string, Username = 'user', Secret = 'hunter2'): string {
  return JSON.stringify({ ServerURL, Username, Secret })
}

describe.skipIf(!requirePeers(...keyringPeers))(
  'docker-credential-dray with a GNOME Keyring',
  patience,
  () => {
    let keyring: KeyringSession
    beforeAll(async () => {
      keyring = await startKeyring()
    })
    afterAll(() => keyring[Symbol.asyncDispose]())

    it('stores, gets, lists and erases logins', async () => {
      const { env } = keyring
      const hub = login('https://index.docker.io/v1/', '<token>', 'tökén\n"\u0001')
      expect(await said('store', hub, env)).toBe('')
      expect(await said('store', login('ghcr.io/org', 'first'), env)).toBe('')
      expect(await said('store', login('ghcr.io/org', 'second'), env)).toBe('')
      expect(JSON.parse(await said('get', 'https://index.docker.io/v1/', env))).toEqual(JSON.parse(hub))
      expect(JSON.parse(await said('list', '', env))).toEqual({
        'https://index.docker.io/v1/': '<token>',
        'ghcr.io/org': 'second',
      })
      for (const url of ['https://index.docker.io/v1/', 'ghcr.io/org', 'ghcr.io/org']) {
        expect(await said('erase', url, env)).toBe('')
      }
      expect(await fails('get', 'ghcr.io/org', env)).toBe('credentials not found in native keychain\n')
      expect(await said('list', '', env)).toBe('{}\n')
    })

    it('loses nothing when many are stored at once', async () => {
      const { env } = keyring
      const urls = Array.from({ length: 8 }, (_, number) => `registry-${number}.example`)
      await Promise.all(urls.map(url => said('store', login(url), env)))
      const listed = Object.keys(JSON.parse(await said('list', '', env)))
      expect(listed.sort()).toEqual(urls)
      await Promise.all(urls.map(url => said('erase', url, env)))
      expect(await said('list', '', env)).toBe('{}\n')
    })

    it('holds a login as long as the longest password that dray reads', async () => {
      const { env } = keyring
      const Secret = 'x'.repeat(64 * 1024)
      await said('store', login('long.example', 'user', Secret), env)
      expect(JSON.parse(await said('get', 'long.example', env))).toMatchObject({ Secret })
      await said('erase', 'long.example', env)
    })

    it.skipIf(!requirePeers('crane'))("is a credsStore for docker's own client", async () => {
      await using folder = await makeTempDir()
      const [, program] = keychainProgram()
      await symlink(program, join(folder.path, 'docker-credential-dray'))
      const PATH = [folder.path, dirname(process.execPath), process.env.PATH].join(delimiter)
      const env = { ...keyring.env, PATH, DOCKER_CONFIG: folder.path }
      await writeFile(join(folder.path, 'config.json'), '{"credsStore":"dray"}')
      const crane = async (args: readonly string[], input = '') => {
        const result = await run('crane', ['auth', ...args], { env, input })
        expect(result, result.stderr).toMatchObject({ code: 0 })
        return result.stdout
      }
      await crane(['login', '-u', 'user', '--password-stdin', 'crane.example'], 'hunter2')
      expect(await said('list', '', env)).toBe('{"crane.example":"user"}\n')
      expect(JSON.parse(await crane(['get'], 'crane.example'))).toEqual({
        Username: 'user',
        Secret: 'hunter2',
      })
      expect(await readFile(join(folder.path, 'config.json'), 'utf8')).not.toMatch(/hunter2|aHVudGVyMg/)
      await crane(['logout', 'crane.example'])
      expect(await said('list', '', env)).toBe('{}\n')
    })
  },
)

describe.skipIf(!requirePeers(...keyringPeers))('docker-credential-dray where the keychain', patience, () => {
  it('is locked and cannot ask says so, for each action', async () => {
    await using keyring = await startKeyring()
    await said('store', login('ghcr.io'), keyring.env)
    await keyring.lock()
    const locked = /^the keychain is locked: ".+"\nhint: unlock it.+\n$/
    expect(await fails('get', 'ghcr.io', keyring.env)).toMatch(locked)
    expect(await fails('store', login('ghcr.io'), keyring.env)).toMatch(locked)
    expect(await fails('erase', 'ghcr.io', keyring.env)).toMatch(locked)
    expect(await fails('list', '', keyring.env)).toMatch(locked)
  })

  it('is locked and asks in vain is killed when the time of its caller is over', async () => {
    await using keyring = await startKeyring({ prompter: 'unanswered' })
    await said('store', login('ghcr.io'), keyring.env)
    await keyring.lock()
    await expectKilled('ghcr.io', keyring.env)
  })

  it('takes no calls says so after two seconds', async () => {
    await using keyring = await startKeyring()
    process.kill(keyring.servicePid, 'SIGSTOP')
    const results = await Promise.all([fails('get', 'ghcr.io', keyring.env), fails('list', '', keyring.env)])
    for (const result of results)
      expect(result).toMatch(/^no Secret Service answers: ".*did not send a reply/)
  })

  it('is none on this bus says so', async () => {
    await using session = await startKeyring({ service: 'none' })
    for (const action of ['get', 'erase', 'list']) {
      expect(await fails(action, 'ghcr.io', session.env)).toMatch(
        /^no Secret Service answers: .*\nhint: .*KWallet.*\n$/,
      )
    }
    expect(await fails('store', login('ghcr.io'), session.env)).toMatch(/^no Secret Service answers: /)
  })
})

describe.runIf(process.platform === 'linux')('docker-credential-dray', patience, () => {
  it.each<[string, Env]>([
    ['no bus', {}],
    ['a bus that is gone', { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere/bus' }],
  ])('with %s says so, and uses nothing in the place of the keychain', async (_what, env) => {
    for (const action of ['get', 'erase', 'list']) {
      expect(await fails(action, 'ghcr.io', env)).toMatch(/^no Secret Service answers: ".+"\nhint: .+\n$/)
    }
    const answer = await fails('store', login('ghcr.io'), env)
    expect(answer).toMatch(/^no Secret Service answers: /)
    expect(answer).not.toContain('hunter2')
  })

  it('with a bus that never answers is killed when the time of its caller is over', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'bus')
    await using _bus = await listen(path)
    await expectKilled('ghcr.io', { DBUS_SESSION_BUS_ADDRESS: `unix:path=${path}` })
  })

  it('without its optional dependency names it, and needs it only where there is something to ask', async () => {
    await using folder = await makeTempDir()
    for (const file of ['bin/docker-credential-dray.js', 'dist/cli/docker-credential-dray.cjs']) {
      await cp(join(projectFolder, file), join(folder.path, file))
    }
    const alone = (action: string, input: string) =>
      run(process.execPath, [join(folder.path, 'bin/docker-credential-dray.js'), action], { input })
    expect(await alone('get', 'ghcr.io')).toMatchObject({
      code: 1,
      stderr: '',
      stdout: expect.stringMatching(
        /^@napi-rs\/keyring, .*cannot be loaded: "Cannot find module '@napi-rs\/keyring'"\nhint: .*--include=optional\n$/,
      ),
    })
    expect(await alone('get', '')).toMatchObject({ code: 1, stdout: 'no credentials server URL\n' })
    expect(await alone('version', '')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^docker-credential-dray \(drayage\) \d+\.\d+\.\d+\n$/),
    })
  })

  it('with an optional dependency that cannot be loaded names it', async () => {
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: '/nowhere/keyring.node' }
    expect(await fails('get', 'ghcr.io', env)).toMatch(/^@napi-rs\/keyring, .* cannot be loaded: .+\nhint: /)
  })

  it('that is not built says so where docker reads it', async () => {
    await using folder = await makeTempDir()
    const program = join(folder.path, 'docker-credential-dray.js')
    await cp(join(projectFolder, 'bin/docker-credential-dray.js'), program)
    expect(await run(process.execPath, [program, 'list'])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('not built'),
    })
  })
})

/** Asks for a login as dray does, with two seconds to answer, and sees that no process is left. */
async function expectKilled(serverUrl: string, env: Env): Promise<void> {
  await using folder = await makeTempDir()
  const pidFile = join(folder.path, 'pid')
  const command = ['sh', '-c', `echo $$ >'${pidFile}'; exec "$@"`, 'sh', ...keychainProgram()] as const
  const call = {
    program: { name: 'docker-credential-dray', command },
    action: 'get',
    input: serverUrl,
  } as const
  const context = {
    env: { PATH: process.env.PATH, ...env },
    platform: process.platform,
    helperTimeoutMs: 2000,
  }
  expect(await errorOf(runHelper(call, context))).toMatchObject({
    code: 'TIMEOUT',
    message: 'docker-credential-dray get: no answer within 2 s',
  })
  const pid = Number(await readFile(pidFile, 'utf8'))
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
}

/** Accepts connections to a socket in a file and never says a word. */
async function listen(path: string): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => sockets.add(socket.on('error', () => {})))
  await new Promise<void>(resolve => server.listen(path, resolve))
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
