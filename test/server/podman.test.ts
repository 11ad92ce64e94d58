import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixturePath } from '../support/fixtures.ts'
import { hasPodman, type Podman, startPodman } from '../support/podman.ts'
import { mirrorOf } from './mirror/site.ts'

describe.skipIf(!hasPodman())('podman', { timeout: 60_000 }, () => {
  let podman: Podman
  beforeAll(async () => {
    podman = await startPodman()
  })
  afterAll(() => podman[Symbol.asyncDispose]())

  async function succeed(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await podman.run(...args)
    expect({ code, stderr }).toMatchObject({ code: 0 })
    return stdout.trim()
  }

  it('pulls from a mirror by the name that the image has there', async () => {
    await using upstream = await startEmbeddedRegistry()
    await cp(fixturePath('hello'), join(upstream.dir, 'library/hello'), { recursive: true })
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const image = await succeed(
      'pull',
      '--tls-verify=false',
      '--quiet',
      `${site.host}/docker.io/library/hello:1.0`,
    )
    expect(image).toMatch(/^[0-9a-f]{64}$/)
    await succeed('rmi', '--force', image)
  })

  it.each([
    ['anybody', undefined, []],
    [
      'a user',
      { kind: 'basic', users: { check: async (_: string, word: string) => word === 'secret' } },
      ['--creds', 'ann:secret'],
    ],
  ] as const)('pulls from the registry and pushes to it, as %s', async (_, auth, login) => {
    await using registry = await startEmbeddedRegistry({ auth })
    await cp(fixturePath('hello'), join(registry.dir, 'ours/hello'), { recursive: true })
    const options = ['--tls-verify=false', '--quiet', ...login]
    const image = await succeed('pull', ...options, `${registry.host}/ours/hello:1.0`)
    const theirs = `${registry.host}/theirs/hello:1.0`
    await succeed('push', ...options, '--format', 'oci', image, theirs)
    await succeed('push', ...options, '--format', 'v2s2', image, `${theirs}-docker`)
    await succeed('rmi', '--force', image)
    for (const reference of [theirs, `${theirs}-docker`]) {
      // The image's ID is the digest of its config.
      expect(await succeed('pull', ...options, reference)).toBe(image)
      await succeed('rmi', '--force', image)
    }
  })
})
