import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Credential } from '../../src/credential.ts'
import { openCredentials } from '../../src/credentials/credentials.ts'
import { keyringPeers, startKeyring } from '../support/keyring.ts'
import { requirePeers } from '../support/peers.ts'
import { run } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { patience } from './dray.ts'

type Env = Readonly<Record<string, string>>

it.skipIf(!requirePeers(...keyringPeers, 'docker-credential-secretservice'))(
  "logins are kept by Debian's docker-credential-secretservice",
  patience,
  async () => {
    await using keyring = await startKeyring()
    await expectKept('secretservice', keyring.env)
  },
)

it.skipIf(!requirePeers('docker-credential-pass', 'pass', 'gpg'))(
  "logins are kept by Debian's docker-credential-pass",
  patience,
  async () => {
    await using store = await makePasswordStore()
    await expectKept('pass', store.env)
  },
)

/** Stores, finds and erases logins with a helper that docker's config file names as its `credsStore`. */
async function expectKept(helper: string, env: Env): Promise<void> {
  await using folder = await makeTempDir()
  const file = join(folder.path, 'config.json')
  await writeFile(file, JSON.stringify({ credsStore: helper }))
  const context = {
    env: { PATH: process.env.PATH, ...env, DOCKER_CONFIG: folder.path },
    homeDir: folder.path,
    platform: process.platform,
  }
  // Each opens them anew, so that what is found comes from the helper and not from memory.
  const logins = () => openCredentials(context)
  const program = `docker-credential-${helper}`
  const place = { kind: 'helper', program }
  const credentials: Record<string, Credential> = {
    'docker.io': { kind: 'basic', username: 'user', password: 'pä:ss "word"' },
    'ghcr.io': { kind: 'identity-token', token: 'hunter2' },
    'localhost:5000': { kind: 'basic', username: 'user', password: 'x'.repeat(3000) },
  }
  for (const [registry, credential] of Object.entries(credentials)) {
    expect(await logins().findCredential({ registry })).toBeUndefined()
    expect(await logins().storeCredential(registry, credential)).toMatchObject({ place, plain: false })
  }
  for (const [registry, credential] of Object.entries(credentials)) {
    expect(await logins().findCredentialEntry({ registry })).toMatchObject({
      credential,
      origin: `helper ${program}`,
    })
  }
  expect(await readFile(file, 'utf8')).not.toMatch(/hunter2|aHVudGVyMg/)
  for (const registry of Object.keys(credentials)) {
    expect(await logins().eraseCredential(registry)).toEqual([place])
    expect(await logins().findCredential({ registry })).toBeUndefined()
    expect(await logins().eraseCredential(registry)).toEqual([])
  }
}

interface PasswordStore extends AsyncDisposable {
  /** What makes a program use the store. */
  readonly env: Env
}

/** A store for `pass` in a folder of its own, with a key that has no passphrase. */
async function makePasswordStore(): Promise<PasswordStore> {
  await using making = new AsyncDisposableStack()
  const folder = making.use(await makeTempDir())
  const env = {
    HOME: folder.path,
    GNUPGHOME: join(folder.path, 'gnupg'),
    PASSWORD_STORE_DIR: join(folder.path, 'store'),
  }
  await mkdir(env.GNUPGHOME, { mode: 0o700 })
  const succeed = async (program: string, args: readonly string[]) => {
    expect(await run(program, args, { env })).toMatchObject({ code: 0 })
  }
  // gpg starts an agent for this folder, which stays.
  making.defer(() => succeed('gpgconf', ['--kill', 'all']))
  await succeed('gpg', ['--batch', '--passphrase', '', '--quick-generate-key', 'user', 'future-default'])
  await succeed('pass', ['init', 'user'])
  const made = making.move()
  return { env, [Symbol.asyncDispose]: () => made.disposeAsync() }
}
