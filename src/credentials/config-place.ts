import { isDrayError, quote } from '../errors.ts'
import { decodeEntry } from './auth-entry.ts'
import type { ConfigDocument } from './config-document.ts'
import type { ListedLogin, LoginPlace } from './context.ts'
import { dockerHelper, type HelperClient } from './credential-helper.ts'
import { findInConfig, longestPath } from './find-in-config.ts'
import { describeCredential, describeLogin } from './login.ts'
import { keyName } from './server-key.ts'

export interface ConfigPlaceOptions {
  /** What the document is called in messages and origins. */
  readonly name: string
  /** Reads it, undefined where there is none; is called once at the most. */
  readonly read: () => Promise<ConfigDocument | undefined>
  readonly helpers: HelperClient
}

/** A document of docker's or Podman's form as a place of logins. */
export function configPlace({ name, read, helpers }: ConfigPlaceOptions): LoginPlace {
  let reading: Promise<ConfigDocument | undefined> | undefined
  const document = () => {
    reading ??= read()
    return reading
  }
  return {
    name,
    async find(target) {
      const config = await document()
      return config && findInConfig(config, target, { name, helpers })
    },
    async pathLength(target) {
      const config = await document()
      return config === undefined ? 0 : longestPath(config, target)
    },
    async lack() {
      return (await document()) === undefined ? 'there is no such file' : undefined
    },
    async list() {
      const config = (await document()) ?? {}
      return [...listAuths(config, name), ...(await listHelpers(config, helpers))]
    },
  }
}

function listAuths(config: ConfigDocument, name: string): ListedLogin[] {
  const origin = `auths in ${name}`
  return Object.entries(config.auths ?? {}).flatMap(([key, entry]): ListedLogin[] => {
    try {
      const credential = decodeEntry(entry ?? {}, `${name}: auths[${quote(key)}]`)
      return credential ? [{ origin, key: keyName(key), ...describeCredential(credential) }] : []
    } catch (error) {
      if (!isDrayError(error)) throw error
      return [{ origin, key: keyName(key), fault: error.message }]
    }
  })
}

/** `credHelpers` keep the registries that they are named for; what else such a helper knows is not used. */
async function listHelpers(config: ConfigDocument, helpers: HelperClient): Promise<ListedLogin[]> {
  const { credHelpers, credsStore } = config
  const named = Object.entries(credHelpers ?? {}).map(([key, helper]) => ({ key: keyName(key), helper }))
  const all = [...named.map(({ helper }) => helper), credsStore].filter(helper => typeof helper === 'string')
  const names = [...new Set(all)].filter(helper => helper !== '')
  const lists = await Promise.all(
    names.map(async helper => [helper, await listHelper(helper, helpers)] as const),
  )
  const listOf = new Map(lists)
  const own = named.flatMap(({ key, helper }) => {
    const list = listOf.get(helper)
    return list === undefined ? [] : [loginIn(list, key)]
  })
  const store = listOf.get(credsStore ?? '')
  if (store === undefined) return own
  const rest = store.logins.filter(login => !named.some(({ key }) => key === login.key))
  return [
    ...own,
    ...rest,
    ...(store.fault === undefined ? [] : [{ origin: store.origin, fault: store.fault }]),
  ]
}

interface HelperList {
  readonly origin: string
  readonly logins: readonly ListedLogin[]
  readonly fault?: string
}

/** What a helper's list tells of a registry: some helpers make a login when they are asked for it, and list none. */
function loginIn({ origin, logins, fault }: HelperList, key: string): ListedLogin {
  return logins.find(login => login.key === key) ?? { origin, key, fault }
}

async function listHelper(helper: string, helpers: HelperClient): Promise<HelperList> {
  const program = dockerHelper(helper)
  const origin = `helper ${program.name}`
  try {
    const usernames = Object.entries(await helpers.list(program))
    return {
      origin,
      logins: usernames.map(([key, name]) => ({ origin, key: keyName(key), ...describeLogin(name) })),
    }
  } catch (error) {
    if (!isDrayError(error) || error.code === 'ABORTED') throw error
    return { origin, logins: [], fault: error.message }
  }
}
