import type { Credential } from '../credential.ts'
import { DrayError, isDrayError } from '../errors.ts'
import { parseRegistry } from '../oci/reference.ts'
import type { CredentialContext, LoginPlace } from './context.ts'
import { credentialFromLogin, describeLogin } from './login.ts'
import { sameRegistry } from './server-key.ts'

type EnvironmentContext = Pick<CredentialContext, 'env' | 'soleRegistry'>

const placeName = 'DRAY_USERNAME and DRAY_PASSWORD'

/** `DRAY_USERNAME` and `DRAY_PASSWORD` as a place of logins. */
export function environmentPlace(context: EnvironmentContext): LoginPlace {
  return {
    name: placeName,
    async find({ registry }) {
      const credential = environmentCredential(context, registry)
      return credential && { credential, origin: placeName, key: registry }
    },
    async list() {
      const { DRAY_USERNAME: username, DRAY_PASSWORD: password } = context.env
      if (!(username || password)) return []
      return [{ origin: placeName, key: intendedRegistry(context), ...describeLogin(username ?? '') }]
    },
  }
}

/**
 * The credential of `DRAY_USERNAME` and `DRAY_PASSWORD`, if it is meant for the registry: the one that `DRAY_REGISTRY`
 * names, or, without that variable, the only registry that the command talks to. It never goes to a second one.
 * @throws DrayError `USAGE` when one half is missing, or when `DRAY_REGISTRY` is not a registry's name
 */
export function environmentCredential(context: EnvironmentContext, registry: string): Credential | undefined {
  const { DRAY_USERNAME: username, DRAY_PASSWORD: password } = context.env
  const meantFor = intendedRegistry(context)
  if (!(username || password) || meantFor === undefined || !sameRegistry(registry, meantFor)) return undefined
  if (!username) throw new DrayError('USAGE', 'DRAY_PASSWORD is set, but DRAY_USERNAME is not')
  if (!password) throw new DrayError('USAGE', 'DRAY_USERNAME is set, but DRAY_PASSWORD is not')
  return credentialFromLogin(username, password)
}

/** A sentence for people when `DRAY_USERNAME` and `DRAY_PASSWORD` are set but, to be safe, go nowhere. */
export function unusedEnvironmentCredential(context: EnvironmentContext): string | undefined {
  const { DRAY_USERNAME: username, DRAY_PASSWORD: password } = context.env
  if (!(username || password) || intendedRegistry(context) !== undefined) return undefined
  return 'DRAY_USERNAME and DRAY_PASSWORD are not used: the command talks to several registries and DRAY_REGISTRY does not say which one they are for'
}

function intendedRegistry({ env, soleRegistry }: EnvironmentContext): string | undefined {
  if (!env.DRAY_REGISTRY) return soleRegistry
  try {
    return parseRegistry(env.DRAY_REGISTRY)
  } catch (error) {
    if (!isDrayError(error)) throw error
    throw new DrayError('USAGE', `DRAY_REGISTRY: ${error.message}`, { cause: error })
  }
}
