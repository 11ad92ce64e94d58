import * as z from 'zod/mini'
import { DrayError, quote } from '../errors.ts'
import { parseRepository } from '../oci/reference.ts'
import { parsePlace } from './place.ts'
import { readable } from './readable.ts'
import { parseScope } from './scope.ts'
import { providers } from './settings.ts'

const text = z.string().check(z.minLength(1))
const place = readable(parsePlace)

const mirror = z.strictObject({
  location: place.check(z.describe('host[:port][/path], with or without https:// or http:// in front')),
  pullFrom: z.optional(
    z
      .enum(['all', 'digests', 'tags'])
      .check(z.describe('what it is asked for: only content by digest, or only for references with a tag')),
  ),
})

const headerName = z.string().check(z.regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/))
const headerValue = z.string().check(z.regex(/^[\t\x20-\x7e\x80-\xff]*$/))

const login = {
  username: z.optional(text.check(z.describe('the name to log in with, beside one of the passwords'))),
  password: z.optional(
    text.check(z.describe('the password itself; passwordFile or passwordEnv hide it better')),
  ),
  passwordEnv: z.optional(text.check(z.describe('the environment variable that holds the password'))),
  passwordFile: z.optional(text.check(z.describe('the file that holds the password, and nothing else'))),
  identityTokenEnv: z.optional(
    text.check(z.describe('the environment variable that holds an OAuth2 refresh token')),
  ),
  helper: z.optional(
    z
      .string()
      .check(
        z.regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/),
        z.describe('the NAME of a docker-credential-NAME program, such as ecr-login'),
      ),
  ),
}

const registry = z
  .strictObject({
    mirrors: z.optional(
      z
        .array(z.union([place, mirror]))
        .check(z.describe('asked in order before the registry, for reads only')),
    ),
    plainHttp: z.optional(z.boolean().check(z.describe('speak plain HTTP; false: TLS, on loopback too'))),
    insecure: z.optional(z.boolean().check(z.describe('accept any TLS certificate'))),
    caFile: z.optional(text.check(z.describe('CAs (PEM) that are trusted too'))),
    certFile: z.optional(text.check(z.describe('client certificate (PEM)'))),
    keyFile: z.optional(text.check(z.describe("the client certificate's key (PEM)"))),
    jobs: z.optional(
      z.int().check(z.minimum(1), z.maximum(1000), z.describe('how many transfers at a time')),
    ),
    requestsPerSecond: z.optional(
      z.number().check(z.gt(0), z.maximum(1_000_000), z.describe('may be a fraction')),
    ),
    headers: z.optional(
      z.record(headerName, headerValue).check(z.describe('sent with every request to this registry')),
    ),
    blocked: z.optional(z.boolean().check(z.describe('refuse to read from it or write to it'))),
    provider: z.optional(
      z.enum(providers).check(z.describe('what runs there, where its name does not tell')),
    ),
    ...login,
  })
  .check(payload => {
    const fault = contradiction(payload.value)
    if (fault !== undefined) payload.issues.push({ code: 'custom', message: fault, input: payload.value })
  })

/** Of dray's own configuration file. */
export const documentSchema = z.strictObject({
  registries: z.optional(
    z.nullable(
      z
        .record(readable(readKey), z.nullable(registry))
        .check(z.describe('by registry, registry/path or *.domain; of each key the longest match wins')),
    ),
  ),
})

/** What stands under one key of `registries`. */
export type RegistryEntry = Readonly<z.infer<typeof registry>>

/** A name without a dot or a port is never a registry in a reference, so what stands under it would never be used. */
function readKey(key: string): void {
  const { host, isWildcard } = parseScope(key)
  if (isWildcard || parseRepository(`${host}/any`).registry === host) return
  throw new DrayError('INVALID_REFERENCE', `${quote(host)} is no registry: it has neither a dot nor a port`)
}

/** What is wrong with keys that each are right. */
function contradiction(entry: z.infer<typeof registry>): string | undefined {
  const { certFile, keyFile, username, identityTokenEnv, helper } = entry
  if ((certFile === undefined) !== (keyFile === undefined)) return 'certFile and keyFile need each other'
  const passwords = [entry.password, entry.passwordEnv, entry.passwordFile].filter(one => one !== undefined)
  if (passwords.length > 1) return 'only one of password, passwordEnv and passwordFile can be used'
  if ((username === undefined) !== (passwords.length === 0)) {
    return 'username needs one of password, passwordEnv and passwordFile, and they need it'
  }
  const ways = [username, identityTokenEnv, helper].filter(one => one !== undefined)
  return ways.length > 1 ? 'only one of username, identityTokenEnv and helper can be used' : undefined
}
