import type { AskWebService } from '../web-service.ts'
import type { AwsCredentials } from './call.ts'
import type { EcrRegistry } from './ecr-registry.ts'

/** What the search for AWS keys takes from its surroundings. */
export interface AwsSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a small text file; throws DrayError. */
  readonly readFile: (path: string) => Promise<string>
  readonly ask: AskWebService
}

/** One way to keys, open when all of its variables are set. */
export interface AwsKeySource {
  readonly variables: readonly [string, ...string[]]
  /** Undefined where they are not meant for the registry. */
  find(surroundings: AwsSurroundings, registry: EcrRegistry): Promise<AwsCredentials | undefined>
}
