import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { cloudPlaces } from '../../../src/credentials/clouds/cloud-sources.ts'
import type { CredentialContext, CredentialEntry } from '../../../src/credentials/context.ts'
import type { AskWebService } from '../../../src/web-service.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

/** The start of tests' clocks. */
export const startTime = Date.UTC(2026, 0, 1)

/** All places of an environment, asked as one. */
export interface Places {
  /** What the first place with a login has. */
  find(registry: string, options?: { readonly renew?: boolean }): Promise<CredentialEntry | undefined>
  /** The name and variables of each place that has a say about the registry. */
  describe(registry: string): { name: string; set: readonly string[]; missing: readonly string[] }[]
}

/** Opens the places as the program does, with a clock that a test can turn. */
export function openPlaces(
  env: CredentialContext['env'],
  askWebService?: AskWebService,
  clock = { time: startTime },
): Places {
  const places = cloudPlaces({ env, homeDir: '/nowhere', platform: 'linux', askWebService }, () => clock.time)
  return {
    async find(registry, options) {
      for (const place of places) {
        const entry = await place.find({ registry, repository: 'app', ...options })
        if (entry) return entry
      }
      return undefined
    },
    describe: registry =>
      places.flatMap(({ name, describe }) => {
        const variables = describe({ registry })
        return variables === undefined ? [] : [{ name, ...variables }]
      }),
  }
}

/** Writes a file that is gone when the test is over, and returns its path. */
export async function writeTemporary(text: string): Promise<string> {
  const folder = await makeTempDir()
  onTestFinished(folder.remove)
  const path = join(folder.path, 'file')
  await writeFile(path, text)
  return path
}
