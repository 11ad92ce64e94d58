import { isAbsolute, join } from 'node:path'
import * as z from 'zod/mini'
import { DrayError } from '../errors.ts'
import type { CredentialContext } from './context.ts'
import { readText, updateText } from './text-file.ts'

const indexSchema = z.looseObject({
  logins: z.record(
    z.string(),
    z.looseObject({
      kind: z.enum(['basic', 'identity-token', 'registry-token']),
      user: z.optional(z.string()),
    }),
  ),
})

/** What dray has put into the keychain, by the keys of `serverKey`; without secrets. */
export type KeychainIndex = Readonly<z.infer<typeof indexSchema>>

/**
 * Where the index is: `keychain.json` in dray's folder below `XDG_CONFIG_HOME` (`~/.config`), on Windows below `APPDATA`.
 * It is there so that the keychain, which is slow and may ask for its own password, is only asked for what it has.
 */
export function keychainIndexFile({ env, homeDir, platform }: CredentialContext): string {
  const given = platform === 'win32' ? env.APPDATA : env.XDG_CONFIG_HOME
  const folder = given !== undefined && isAbsolute(given) ? given : join(homeDir, '.config')
  return join(folder, 'dray', 'keychain.json')
}

/** @throws DrayError `IO`, `INTEGRITY` */
export async function readKeychainIndex(path: string): Promise<KeychainIndex> {
  return parseIndex((await readText(path)) ?? '', path)
}

/**
 * Changes the index as `updateText` does; nothing is written when `edit` changes nothing.
 * @throws DrayError
 */
export async function updateKeychainIndex(
  path: string,
  edit: (logins: KeychainIndex['logins']) => KeychainIndex['logins'],
  uid: number | undefined,
): Promise<void> {
  const change = (text: string) => {
    const index = parseIndex(text, path)
    const after = formatIndex({ ...index, logins: edit(index.logins) })
    return after === formatIndex(index) ? undefined : after
  }
  await updateText(path, change, uid)
}

function parseIndex(text: string, path: string): KeychainIndex {
  if (text.trim() === '') return { logins: {} }
  const index = indexSchema.safeParse(parseJson(text))
  if (index.success) return index.data
  throw new DrayError('INTEGRITY', `${path}: not a list of the logins in the keychain`, {
    hint: 'remove the file and log in again with --store keychain',
  })
}

function formatIndex(index: KeychainIndex): string {
  return `${JSON.stringify(index, null, 2)}\n`
}

/** What is no JSON is no index either; the caller says so. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
