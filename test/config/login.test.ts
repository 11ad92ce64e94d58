import { describe, expect, it } from 'vitest'
import { makeSandbox, ownFile } from './sandbox.ts'

const logins = `registries:
  a.test: {username: bot, password: "pa:ss"}
  a.test/team: {username: team, passwordEnv: TEAM}
  a.test/team/file: {username: file, passwordFile: secret}
  a.test/team/plain: {jobs: 1}
  b.test: {identityTokenEnv: TOKEN}
  "*.c.test": {helper: ecr-login}
`

describe('a configured login', () => {
  it.each([
    ['a.test', undefined, 'a.test', { kind: 'basic', username: 'bot', password: 'pa:ss' }],
    ['a.test', 'other', 'a.test', { kind: 'basic', username: 'bot', password: 'pa:ss' }],
    ['a.test', 'team/app', 'a.test/team', { kind: 'basic', username: 'team', password: 'word' }],
    ['a.test', 'team/plain', 'a.test/team', { kind: 'basic', username: 'team', password: 'word' }],
    [
      'a.test',
      'team/file/x',
      'a.test/team/file',
      { kind: 'basic', username: 'file', password: ' from a file ' },
    ],
    ['b.test', 'app', 'b.test', { kind: 'identity-token', token: 'refresh' }],
  ])('for %s/%s is that of %s', async (registry, repository, key, credential) => {
    await using sandbox = await makeSandbox()
    const file = await sandbox.write(ownFile, logins)
    await sandbox.write('home/.config/dray/secret', ' from a file \n')
    const { findLogin } = await sandbox.open({ env: { TEAM: 'word', TOKEN: 'refresh' } })
    const origin = `registries["${key}"] in ${file}`
    expect(await findLogin({ registry, repository })).toEqual({ origin, credential })
  })

  it('may be kept by a helper', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write(ownFile, logins)
    const { findLogin } = await sandbox.open()
    expect(await findLogin({ registry: 'x.c.test' })).toMatchObject({ helper: 'ecr-login' })
    expect(await findLogin({ registry: 'elsewhere.test' })).toBeUndefined()
  })

  it('whose password cannot be had is an error that names what is missing', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write(ownFile, logins)
    const { findLogin } = await sandbox.open({ env: { TOKEN: '' } })
    await expect(findLogin({ registry: 'a.test', repository: 'team/app' })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(
        /^registries\["a.test\/team"\] in .*: the environment variable TEAM is not set$/,
      ),
    })
    await expect(findLogin({ registry: 'b.test' })).rejects.toThrow('TOKEN is not set')
    await expect(findLogin({ registry: 'a.test', repository: 'team/file' })).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining(sandbox.path('home/.config/dray/secret')),
    })
  })

  it('with its password in the file is warned of where others can read that', async () => {
    await using sandbox = await makeSandbox()
    const file = await sandbox.write(ownFile, logins, 0o600)
    await sandbox.open()
    expect(sandbox.warnings).toEqual([])
    const open = await sandbox.write('open.yaml', logins, 0o644)
    await sandbox.open({ env: { DRAY_CONFIG: open } })
    expect(sandbox.warnings).toEqual([expect.stringContaining(`${open} holds a password`)])
    const bare = await sandbox.write('bare.yaml', 'registries: {a.b: {jobs: 1}}', 0o644)
    await sandbox.open({ env: { DRAY_CONFIG: bare } })
    await sandbox.open({ env: { DRAY_CONFIG: open }, platform: 'win32' })
    expect(sandbox.warnings).toHaveLength(1)
    expect(file).not.toBe(open)
  })
})
