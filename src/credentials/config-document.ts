import * as z from 'zod/mini'
import type { Credential, CredentialTarget } from '../credential.ts'
import { DrayError, quote } from '../errors.ts'
import { type AuthEntry, authEntrySchema, encodeEntry, hasSecrets, withoutSecrets } from './auth-entry.ts'
import { equalKeys, narrowerKeys, serverKey } from './server-key.ts'

// The name becomes a part of a program's name, so it must not lead to another folder. Empty means: no helper.
const helperNameSchema = z.string().check(z.regex(/^(?:[A-Za-z0-9][A-Za-z0-9._+-]*)?$/))

const configSchema = z.looseObject({
  auths: z.nullish(z.record(z.string(), z.nullable(authEntrySchema))),
  credHelpers: z.nullish(z.record(z.string(), helperNameSchema)),
  credsStore: z.nullish(helperNameSchema),
})

/** What docker's `config.json`, Podman's `auth.json` and `DOCKER_AUTH_CONFIG` have in common; other fields are kept. */
export type ConfigDocument = Readonly<z.infer<typeof configSchema>>

/**
 * Reads a config file's text; an empty text is an empty document.
 * @param name what it is called in messages
 * @throws DrayError `INTEGRITY` that names the field, never its content
 */
export function parseConfig(content: string, name: string): ConfigDocument {
  if (content.trim() === '') return {}
  const value = parseJson(content, name)
  const result = configSchema.safeParse(value)
  if (!result.success) {
    const field = formatPath(result.error.issues[0]?.path ?? [])
    throw new DrayError('INTEGRITY', `${name}: ${field} has the wrong shape`, { hint: mendHint })
  }
  // Not zod's copy: the fields stay in their order.
  return value as ConfigDocument
}

/** The text of a document, indented as docker does it. */
export function formatConfig(config: ConfigDocument): string {
  return JSON.stringify(config, null, '\t')
}

/** The helper that `credHelpers` names for the registry; empty when it says that there is none. */
export function registryHelper(config: ConfigDocument, registry: string): string | undefined {
  const credHelpers = config.credHelpers ?? {}
  const [key] = equalKeys(Object.keys(credHelpers), { registry })
  return key === undefined ? undefined : credHelpers[key]
}

/** The helper that keeps the registry's credential, or undefined when the document itself does. */
export function keepingHelper(config: ConfigDocument, registry: string): string | undefined {
  return (registryHelper(config, registry) ?? config.credsStore) || undefined
}

/** True when `auths` itself holds a credential for exactly this target. */
export function holdsCredential(config: ConfigDocument, target: CredentialTarget): boolean {
  return entriesOf(config, target).some(([, entry]) => hasSecrets(entry))
}

/** The keys of `auths` that hold a credential for a part of the target. */
export function narrowerEntries(config: ConfigDocument, target: CredentialTarget): string[] {
  const auths = config.auths ?? {}
  return narrowerKeys(Object.keys(auths), target).filter(key => hasSecrets(auths[key] ?? {}))
}

/** The document with this credential for the target; without one, the entry stays as a sign that a helper has it. */
export function withEntry(
  config: ConfigDocument,
  target: CredentialTarget,
  credential: Credential | undefined,
): ConfigDocument {
  const old = entriesOf(config, target)[0]?.[1] ?? {}
  const entry = credential === undefined ? withoutSecrets(old) : encodeEntry(old, credential)
  return replaceEntry(config, target, [serverKey(target), entry])
}

/** The document without the target's entry, however its key is spelt. */
export function withoutEntry(config: ConfigDocument, target: CredentialTarget): ConfigDocument {
  return replaceEntry(config, target, undefined)
}

const mendHint = 'mend it, or move it away and log in again'

/** The entries for exactly this target, best first. */
function entriesOf(config: ConfigDocument, target: CredentialTarget): [string, AuthEntry][] {
  const auths = config.auths ?? {}
  return equalKeys(Object.keys(auths), target).map(key => [key, auths[key] ?? {}])
}

/** Puts the entry where the first spelling of the key was and drops the others, which would hide or outlive it. */
function replaceEntry(
  config: ConfigDocument,
  target: CredentialTarget,
  entry: [string, AuthEntry] | undefined,
): ConfigDocument {
  const auths = Object.entries(config.auths ?? {})
  const old = new Set(entriesOf(config, target).map(([key]) => key))
  if (entry === undefined && old.size === 0) return config
  const first = auths.findIndex(([key]) => old.has(key))
  const before = first < 0 ? auths : auths.slice(0, first)
  const after = first < 0 ? [] : auths.slice(first).filter(([key]) => !old.has(key))
  return { ...config, auths: Object.fromEntries([...before, ...(entry ? [entry] : []), ...after]) }
}

/** JSON.parse quotes the text in its message, so neither that nor the cause is passed on. */
function parseJson(content: string, name: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    throw new DrayError('INTEGRITY', `${name}: not valid JSON`, { hint: mendHint })
  }
}

function formatPath(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the document'
  const [field, ...keys] = path.map(String)
  return `${field}${keys.map(key => `[${quote(key)}]`).join('')}`
}
