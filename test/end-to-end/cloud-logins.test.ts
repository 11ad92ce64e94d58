import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { startInternet } from '../support/internet.ts'
import { requirePeers } from '../support/peers.ts'
import { acr, azureApplication } from '../support/registries/acr.ts'
import { awsKeys } from '../support/registries/aws-api.ts'
import { ecr } from '../support/registries/ecr.ts'
import { ecrPublic } from '../support/registries/ecr-public.ts'
import type { Emulate, Emulation } from '../support/registries/emulation.ts'
import { ghcr } from '../support/registries/ghcr.ts'
import { gitlab } from '../support/registries/gitlab.ts'
import { artifactRegistry, containerRegistry } from '../support/registries/google.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')

/** What a job has in its environment, for the login of an emulation. */
type Job = (provider: Emulation, folder: string) => Promise<Record<string, string>>

const jobs: readonly [name: string, emulate: Emulate, job: Job, origin: RegExp][] = [
  [
    'GitHub Actions',
    ghcr,
    async ({ credential }) => ({ GITHUB_TOKEN: credential.password, GITHUB_ACTOR: 'anybody' }),
    /^GITHUB_TOKEN/,
  ],
  [
    'GitLab CI',
    gitlab,
    async ({ registry, credential }) => ({
      CI_REGISTRY: registry,
      CI_REGISTRY_USER: credential.username,
      CI_REGISTRY_PASSWORD: credential.password,
    }),
    /^CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD$/,
  ],
  ['AWS, with keys', ecr, async () => awsKeys, /^AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY$/],
  ['AWS, for the public registry', ecrPublic, async () => awsKeys, /^AWS_ACCESS_KEY_ID/],
  [
    'Google Cloud, with a key file',
    artifactRegistry,
    async ({ credential }, folder) => {
      const file = join(folder, 'key.json')
      await writeFile(file, credential.password)
      return { GOOGLE_APPLICATION_CREDENTIALS: file }
    },
    /^GOOGLE_APPLICATION_CREDENTIALS$/,
  ],
  [
    'Google Cloud, with a token',
    containerRegistry,
    async ({ credential }) => ({ GOOGLE_OAUTH_ACCESS_TOKEN: credential.password }),
    /^GOOGLE_OAUTH_ACCESS_TOKEN$/,
  ],
  [
    'Azure, as an application',
    acr,
    async () => azureApplication,
    /^AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET$/,
  ],
]

describe.skipIf(!requirePeers('openssl'))('a job of', patience, () => {
  it.each(jobs)(
    '%s pushes and pulls without a login of its own, and is told which one it has',
    async (...[, emulate, job, origin]) => {
      await using folder = await makeTempDir()
      await using store = await startEmbeddedRegistry()
      const provider = emulate(store)
      await using internet = await startInternet(provider.hosts)
      const variables = await job(provider, folder.path)
      const env = { ...variables, HTTPS_PROXY: internet.proxy, SSL_CERT_FILE: internet.caFile }
      const image = `${provider.registry}/${provider.repository}:1.0`
      await dray(['copy', hello, image], { env })
      expect((await dray(['digest', image], { env })).stdout).toBe(`${digest}\n`)
      const shown = await drayJson(['auth', 'show', image], { env })
      expect(shown).toMatchObject({ credential: { origin: expect.stringMatching(origin) } })
      expect(JSON.stringify(shown)).not.toContain(JSON.stringify(provider.credential.password).slice(1, -1))
    },
  )
})
