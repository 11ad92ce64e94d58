import { access, chmod, readFile } from 'node:fs/promises'
import { describe, expect, it, vi } from 'vitest'
import { createHelperClient, dockerHelper } from '../../src/credentials/credential-helper.ts'
import { maxOutputBytes } from '../../src/credentials/helper-process.ts'
import { callsOf, errorOf, everythingSaid, keepingScript, makeSandbox } from './sandbox.ts'

const x = dockerHelper('x')

describe('a helper that is asked for a credential', () => {
  it.each([
    [
      '{"ServerURL":"x","Username":"user","Secret":"pa:ss"}',
      { kind: 'basic', username: 'user', password: 'pa:ss' },
    ],
    ['{"Username":"<token>","Secret":"id","Other":1}', { kind: 'identity-token', token: 'id' }],
    ['{"Secret":"s"}', { kind: 'basic', username: '', password: 's' }],
  ])('and prints %s has it', async (output, credential) => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', `echo '${output}'`)
    expect(await createHelperClient(sandbox.context).get(x, 'ghcr.io')).toEqual(credential)
  })

  it.each([
    ['says so on stdout', "echo 'credentials not found in native keychain'; exit 1"],
    ['says so on stderr', "echo 'error: credentials not found in native keychain' >&2; exit 2"],
    ['prints nothing', 'exit 0'],
    ['prints empty fields', 'echo \'{"ServerURL":"","Username":"","Secret":""}\''],
    ['prints null', 'echo \'{"Username":null,"Secret":null}\''],
  ])('and %s has none', async (_what, script) => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', script)
    expect(await createHelperClient(sandbox.context).get(x, 'ghcr.io')).toBeUndefined()
  })

  it.each([
    ['garbage', "echo 'hunter2'", 'INTEGRITY'],
    ['another shape', 'echo \'{"Username":"u","Secret":["hunter2"]}\'', 'INTEGRITY'],
    ['the login, and then fails', 'echo \'{"Username":"u","Secret":"hunter2"}\'; exit 1', 'IO'],
    [
      'the login over several lines, and then fails',
      'printf \'login:\\n{\\n"Secret": "hunter2"}\'; exit 1',
      'IO',
    ],
  ])('and prints %s fails without showing it', async (_what, script, code) => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', script)
    const error = await errorOf(createHelperClient(sandbox.context).get(x, 'ghcr.io'))
    expect(error).toMatchObject({
      code,
      message: expect.stringMatching(/^docker-credential-x get( failed|: )/),
    })
    expect(everythingSaid(error)).not.toContain('hunter2')
  })

  it.each([
    ["echo 'the vault is sealed'; echo more; exit 3", ': "the vault is sealed"'],
    ["echo 'the vault is sealed' >&2; exit 3", ': "the vault is sealed"'],
    ['exit 3', ' without a message'],
    ["printf '\\033[31mred\\007\\n'; exit 1", ': "\\u{1b}[31mred\\u{7}"'],
  ])('and fails with %s is quoted in one safe line', async (script, said) => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', script)
    expect(await errorOf(createHelperClient(sandbox.context).get(x, 'ghcr.io'))).toMatchObject({
      code: 'IO',
      message: `docker-credential-x get failed${said}`,
    })
  })

  it('and fails with a hint has it passed on', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', "echo 'it is locked'; echo 'hint: unlock it'; exit 1")
    await sandbox.addHelper('y', "echo 'it is locked'; echo 'another line'; exit 1")
    const { get } = createHelperClient(sandbox.context)
    expect(await errorOf(get(x, 'ghcr.io'))).toMatchObject({ hint: 'unlock it' })
    expect(await errorOf(get(dockerHelper('y'), 'ghcr.io'))).toMatchObject({
      hint: expect.stringContaining('docker-credential-y list'),
    })
  })

  it('may end without reading its input', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', 'exec <&-; echo \'{"Username":"u","Secret":"s"}\'')
    expect(await createHelperClient(sandbox.context).get(x, 'ghcr.io')).toMatchObject({ username: 'u' })
  })

  it('and is not installed is named, with what to do', async () => {
    await using sandbox = await makeSandbox()
    expect(
      await errorOf(createHelperClient(sandbox.context).get(dockerHelper('none'), 'ghcr.io')),
    ).toMatchObject({
      code: 'UNSUPPORTED',
      message: 'the credential helper docker-credential-none is not installed',
      hint: expect.stringContaining('credsStore'),
    })
  })

  it('and may not be run is an error that names it', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', 'exit 0')
    await chmod(sandbox.helperFile('x', '../docker-credential-x'), 0o644)
    expect(await errorOf(createHelperClient(sandbox.context).get(x, 'ghcr.io'))).toMatchObject({
      code: 'IO',
      message: 'docker-credential-x get: permission denied',
    })
  })

  it.each(['yes hunter2', 'yes hunter2 >&2'])('and prints without end (%s) is stopped', async script => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', `echo $$ > "$dir/pid"; ${script}`)
    const error = await errorOf(createHelperClient(sandbox.context).get(x, 'ghcr.io'))
    expect(error).toMatchObject({
      code: 'INTEGRITY',
      message: `docker-credential-x get: printed more than ${maxOutputBytes} bytes`,
    })
    expect(everythingSaid(error)).not.toContain('hunter2')
    await isGone(sandbox.helperFile('x', 'pid'))
  })
})

const hangingScript = 'echo $$ > "$dir/pid"; sleep 600 & echo $! > "$dir/child"; wait'

describe('a helper that hangs', () => {
  it('is killed with its children when its time is over, and the error says what may be the matter', async () => {
    await using sandbox = await makeSandbox({ helperTimeoutMs: 1500 })
    await sandbox.addHelper('x', hangingScript)
    expect(await errorOf(createHelperClient(sandbox.context).get(x, 'ghcr.io'))).toMatchObject({
      code: 'TIMEOUT',
      message: 'docker-credential-x get: no answer within 1.5 s',
      hint: expect.stringContaining('locked keychain'),
    })
    await isGone(sandbox.helperFile('x', 'pid'))
    await isGone(sandbox.helperFile('x', 'child'))
  })

  it('is killed when the caller cancels', async () => {
    const abort = new AbortController()
    await using sandbox = await makeSandbox({ signal: abort.signal })
    await sandbox.addHelper('x', hangingScript)
    const asked = errorOf(createHelperClient(sandbox.context).get(x, 'ghcr.io'))
    await vi.waitFor(() => access(sandbox.helperFile('x', 'child')), 10_000)
    abort.abort()
    expect(await asked).toMatchObject({ code: 'ABORTED' })
    await isGone(sandbox.helperFile('x', 'pid'))
  })

  it('in a process outside its group does not keep the caller waiting', async () => {
    await using sandbox = await makeSandbox({ helperTimeoutMs: 1500 })
    await sandbox.addHelper('x', 'setsid sleep 600 & echo $! > "$dir/child"; wait')
    try {
      expect(await errorOf(createHelperClient(sandbox.context).get(x, 'ghcr.io'))).toMatchObject({
        code: 'TIMEOUT',
      })
    } finally {
      process.kill(await pidIn(sandbox.helperFile('x', 'child')), 'SIGKILL')
    }
  })

  it('is not started for a caller who has cancelled', async () => {
    await using sandbox = await makeSandbox({ signal: AbortSignal.abort() })
    expect(
      await errorOf(createHelperClient(sandbox.context).get(dockerHelper('none'), 'ghcr.io')),
    ).toMatchObject({
      code: 'ABORTED',
    })
  })
})

describe('answers of helpers', () => {
  it('are asked for once for each registry, also by many at once', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', keepingScript)
    const client = createHelperClient(sandbox.context)
    await client.store(x, 'ghcr.io', { kind: 'basic', username: 'u', password: 's' })
    await Promise.all([client.get(x, 'ghcr.io'), client.get(x, 'ghcr.io'), client.get(x, 'quay.io')])
    await client.get(x, 'ghcr.io')
    expect((await callsOf(sandbox, 'x')).sort()).toEqual(['get ghcr.io', 'get quay.io', 'store'])
  })

  it('are asked for anew, once for many at a time, when they are no good any more', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', `${keepingScript}\n[ "$1" = get ] && date +%N > "$dir/kept"; exit 0`)
    const client = createHelperClient(sandbox.context)
    const renew = () => client.get(x, 'ghcr.io', { renew: true })
    await Promise.all([renew(), client.get(x, 'ghcr.io'), renew()])
    expect(await callsOf(sandbox, 'x')).toEqual(['get ghcr.io'])
  })

  it('are asked for anew after a login and a logout', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', keepingScript)
    const client = createHelperClient(sandbox.context)
    expect(await client.get(x, 'ghcr.io')).toBeUndefined()
    await client.store(x, 'ghcr.io', { kind: 'identity-token', token: 'id' })
    expect(await client.get(x, 'ghcr.io')).toEqual({ kind: 'identity-token', token: 'id' })
    await client.erase(x, 'ghcr.io')
    expect(await client.get(x, 'ghcr.io')).toBeUndefined()
    await client.erase(x, 'ghcr.io')
  })
})

describe('a helper that keeps a login', () => {
  it('gets it as the protocol says', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', keepingScript)
    const client = createHelperClient(sandbox.context)
    await client.store(x, 'docker.io/user', { kind: 'basic', username: 'u', password: '{"a":\n1}' })
    expect(JSON.parse(await readFile(sandbox.helperFile('x', 'kept'), 'utf8'))).toEqual({
      ServerURL: 'docker.io/user',
      Username: 'u',
      Secret: '{"a":\n1}',
    })
  })

  it.each([
    ['hunter2', 'echo "cannot keep hunter2"; exit 1'],
    ['hunter2', 'echo "cannot keep aHVudGVyMg=="; exit 1'],
    ['line one\nhunter2', 'echo "cannot keep it:"; echo hunter2; exit 1'],
    ['hunter2', 'cat; exit 1'],
    ['hunter2', 'cat >&2; exit 1'],
  ])('and fails does not have the secret %j repeated: %s', async (password, script) => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', script)
    const store = createHelperClient(sandbox.context).store(x, 'ghcr.io', {
      kind: 'basic',
      username: 'u',
      password,
    })
    const error = await errorOf(store)
    expect(error).toMatchObject({ code: 'IO', message: expect.stringContaining('is not shown') })
    expect(everythingSaid(error)).not.toMatch(/hunter2|aHVudGVyMg/)
  })

  it('is not given a registry token, which it has no form for', async () => {
    await using sandbox = await makeSandbox()
    const store = createHelperClient(sandbox.context).store(dockerHelper('none'), 'ghcr.io', {
      kind: 'registry-token',
      token: 'hunter2',
    })
    expect(await errorOf(store)).toMatchObject({ code: 'UNSUPPORTED' })
  })

  it('lists usernames by key', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.addHelper('x', '[ "$1" = list ] && echo \'{"ghcr.io":"u"}\'')
    await sandbox.addHelper('empty', 'exit 0')
    const client = createHelperClient(sandbox.context)
    expect(await client.list(x)).toEqual({ 'ghcr.io': 'u' })
    expect(await client.list(dockerHelper('empty'))).toEqual({})
  })
})

it('a helper is looked up in the PATH that was passed', async () => {
  await using sandbox = await makeSandbox()
  await sandbox.addHelper('x', 'echo \'{"Username":"u","Secret":"s"}\'')
  const env = { PATH: '/usr/bin:/bin' }
  expect(await createHelperClient(sandbox.context).get(x, 'ghcr.io')).toBeDefined()
  expect(await errorOf(createHelperClient({ ...sandbox.context, env }).get(x, 'ghcr.io'))).toMatchObject({
    code: 'UNSUPPORTED',
  })
})

async function pidIn(file: string): Promise<number> {
  return Number(await readFile(file, 'utf8'))
}

/** Waits until the process has ended; one that nobody has collected yet (a zombie) has. */
async function isGone(pidFile: string): Promise<void> {
  const pid = await pidIn(pidFile)
  await vi.waitFor(async () => expect(await isRunning(pid)).toBe(false), 10_000)
}

async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'no such folder on this system')
  return !/^\d+ \(.*\) Z/.test(state)
}
