import type { CredentialTarget } from '../../credential.ts'
import { DrayError, isDrayError } from '../../errors.ts'
import { readBounded } from '../../files/read-bounded.ts'
import type { CredentialContext, CredentialSource } from '../context.ts'
import { amazon } from './amazon.ts'
import { azure } from './azure.ts'
import type { Cloud, CloudContext, CloudWay, LastingCredential } from './cloud.ts'
import { github } from './github.ts'
import { gitlabDependencyProxy, gitlabRegistry } from './gitlab.ts'
import { google } from './google.ts'
import { remember } from './remember.ts'

/** A cloud or CI service whose own variables may hold the login for its own registries. */
export interface CloudPlace {
  /** For people: `Amazon ECR`. */
  readonly name: string
  /** Which variables count for a registry, by their names alone; undefined for a registry of others. */
  describe(target: CredentialTarget): CloudVariables | undefined
  /**
   * The login, had from the provider's service where it must be, and remembered until it ends.
   * @throws DrayError that names the registry and the variables
   */
  readonly find: CredentialSource
}

/** The variables of the way to a login that is open, or else of the first that is half open. */
export interface CloudVariables {
  readonly set: readonly string[]
  /** Empty where the way is open. */
  readonly missing: readonly string[]
}

const maxFileBytes = 256 * 1024

/**
 * The clouds and CI services whose variables are known. Each speaks for its own registries only, told by their exact
 * names, so that no login goes to another's.
 * @param now milliseconds since 1970
 */
export function cloudPlaces(context: CredentialContext, now: () => number = Date.now): CloudPlace[] {
  const { env, askWebService, signal } = context
  const cloudContext: CloudContext = {
    env,
    readFile: async path => (await readBounded(path, maxFileBytes, 'IO')).toString('utf8'),
    ask: askWebService && (request => askWebService({ ...request, signal })),
    now,
  }
  const clouds = [github, gitlabRegistry, gitlabDependencyProxy, amazon, google, azure]
  return clouds.map(cloudOf => placeOf(cloudOf(cloudContext), cloudContext))
}

function placeOf({ name, isFor, ways }: Cloud, { env, now }: CloudContext): CloudPlace {
  const isSet = (variable: string) => Boolean(env[variable])
  const open = ways.find(({ variables }) => variables.every(isSet))
  const likely = open ?? ways.find(({ variables }) => variables.some(isSet)) ?? ways[0]
  const findLogin = remember(async registry => open && findOn(open, registry), now)
  return {
    name,
    describe({ registry }) {
      if (likely === undefined || !isFor(registry.toLowerCase())) return undefined
      const { variables } = likely
      return { set: variables.filter(isSet), missing: variables.filter(variable => !isSet(variable)) }
    },
    async find({ registry, renew }) {
      if (open === undefined || !isFor(registry.toLowerCase())) return undefined
      const login = await findLogin(registry.toLowerCase(), { renew })
      return login && { credential: login.credential, origin: namesOf(open) }
    },
  }
}

async function findOn(way: CloudWay, registry: string): Promise<LastingCredential | undefined> {
  try {
    return await way.find(registry)
  } catch (error) {
    if (!isDrayError(error)) throw error
    const isOfVariables = !isDrayError(error, 'NETWORK', 'TIMEOUT', 'ABORTED')
    const hint = isOfVariables ? `is what stands in ${namesOf(way)} still right?` : undefined
    // To whoever asked, NOT_FOUND would say that the registry lacks something.
    const code = error.code === 'NOT_FOUND' ? 'REGISTRY' : error.code
    throw new DrayError(code, `no login for ${registry} from ${namesOf(way)}: ${error.message}`, {
      hint: error.hint ?? hint,
      status: error.status,
      cause: error,
    })
  }
}

/** `A`, `A and B`, `A, B and C` */
function namesOf({ variables }: CloudWay): string {
  return variables.join(', ').replace(/, (\w+)$/, ' and $1')
}
