import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { peer, requirePeers } from './peers.ts'
import { makeTempDir } from './temp-dir.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

it('a peer is what is executable in PATH', async () => {
  await using folder = await makeTempDir()
  vi.stubEnv('PATH', `/nowhere:${folder.path}`)
  const path = join(folder.path, 'crane')
  await writeFile(path, '')
  expect(peer('crane')).toBeUndefined()
  await chmod(path, 0o755)
  expect(peer('crane')).toBe(path)
})

it('a missing peer fails in CI and skips elsewhere', () => {
  vi.stubEnv('PATH', '/nowhere')
  vi.stubEnv('CI', '')
  expect(requirePeers('crane')).toBe(false)
  vi.stubEnv('CI', 'true')
  expect(() => requirePeers('crane', 'oras')).toThrow('not installed: crane, oras')
})
