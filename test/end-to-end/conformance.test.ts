import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { peer } from '../support/peers.ts'
import { run, startDray } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'

/** The program of distribution-spec's own suite, which no distribution packages: it is used where somebody put it. */
const suite = peer('oci-conformance')

/** Whatever the suite leaves out by default, beside what it does not. */
const everything = {
  OCI_API_BLOBS_DIGEST_HEADER: 'true',
  OCI_API_BLOBS_UPLOAD_CANCEL: 'true',
  OCI_API_MANIFESTS_DIGEST_HEADER: 'true',
  OCI_API_MANIFESTS_TAG_PARAM: 'true',
  OCI_DATA_SPARSE: 'true',
}

describe.skipIf(suite === undefined)(
  'the official conformance suite (oci-conformance)',
  { timeout: 120_000 },
  () => {
    it.each([
      ['of version 1.1', '1.1'],
      ['of what comes next', 'dev'],
    ])('%s finds nothing wrong with dray serve, and leaves nothing out', async (_, version) => {
      await using folder = await makeTempDir()
      const store = join(folder.path, 'store')
      await using running = await startDray(['serve', store, '--address', '127.0.0.1:0', '--log', 'none'])
      const [, host = ''] = await running.printed(/http:\/\/(127\.0\.0\.1:\d+)/)
      const env = {
        ...everything,
        OCI_VERSION: version,
        OCI_REGISTRY: host,
        OCI_TLS: 'disabled',
        OCI_RESULTS_DIR: folder.path,
      }
      const { code, stdout, stderr } = await run(suite ?? '', [], {
        env,
        cwd: folder.path,
        timeoutMs: 100_000,
      })
      expect(stderr.split('\n').filter(line => line.includes('failed'))).toEqual([])
      const count = (what: string) => Number(new RegExp(`^ *${what}\\.+: +(\\d+)$`, 'm').exec(stdout)?.[1])
      const found = Object.fromEntries(['FAIL', 'Error', 'Skip', 'Disabled'].map(what => [what, count(what)]))
      expect(found).toEqual({ FAIL: 0, Error: 0, Skip: 0, Disabled: 0 })
      expect(count('Pass')).toBeGreaterThan(1000)
      expect(code).toBe(0)
    })
  },
)
