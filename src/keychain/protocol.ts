import { DrayError, quote } from '../errors.ts'
import type { Keychain } from './keychain.ts'
import { decodeLogin, encodeLogin } from './login.ts'
import { parseServerUrl, parseStoreRequest, readInput } from './request.ts'

/** What a run of the program has to work with. */
export interface HelperRun {
  /** The program's arguments: one action. */
  readonly args: readonly string[]
  readonly input: AsyncIterable<Uint8Array | string>
  readonly version: string
  /** Called once the input turned out to be sound, and not for actions that need no keychain. */
  readonly openKeychain: () => Promise<Keychain>
}

/**
 * Carries out one action of a credential helper (docker/docker-credential-helpers, README "Development" and the package
 * `credentials`) and returns what is to be printed. There is one entry for each server URL, by that exact text; to erase
 * what is not there is no failure.
 * @throws DrayError whose message is to be printed on stdout, with an exit code other than 0
 */
export async function runHelperAction(run: HelperRun): Promise<string> {
  const [name, ...others] = run.args
  if (name === undefined || others.length > 0) throw new DrayError('USAGE', usage)
  const action = actions.get(name)
  if (action === undefined) throw new DrayError('USAGE', `${program}: unknown action: ${quote(name)}`)
  return action(run)
}

type Action = (run: HelperRun) => Promise<string>

const program = 'docker-credential-dray'
const usage = `Usage: ${program} <store|get|erase|list|version>`

const printUsage: Action = async () => `${usage}\n`
const printVersion: Action = async ({ version }) => `${program} (drayage) ${version}\n`

const actions = new Map<string, Action>([
  ['store', store],
  ['get', get],
  ['erase', erase],
  ['list', list],
  ['version', printVersion],
  ['--version', printVersion],
  ['-v', printVersion],
  ['--help', printUsage],
  ['-h', printUsage],
])

async function store({ input, openKeychain }: HelperRun): Promise<string> {
  const { serverUrl, login } = parseStoreRequest(await readInput(input))
  const keychain = await openKeychain()
  keychain.set(serverUrl, encodeLogin(login))
  return ''
}

async function get({ input, openKeychain }: HelperRun): Promise<string> {
  const serverUrl = parseServerUrl(await readInput(input))
  const keychain = await openKeychain()
  const secret = keychain.get(serverUrl)
  // Docker tells this text from others.
  if (secret === undefined) throw new DrayError('NOT_FOUND', 'credentials not found in native keychain')
  const login = decodeLogin(secret)
  if (login === undefined) {
    throw new DrayError('INTEGRITY', `the entry for ${quote(serverUrl)} in the keychain is not a login`, {
      hint: `log in again, or remove it: ${program} erase`,
    })
  }
  return print({ ServerURL: serverUrl, Username: login.username, Secret: login.secret })
}

async function erase({ input, openKeychain }: HelperRun): Promise<string> {
  const serverUrl = parseServerUrl(await readInput(input))
  const keychain = await openKeychain()
  keychain.delete(serverUrl)
  return ''
}

/** Other programs may have entries of other kinds under the same name; they are none of ours. */
async function list({ openKeychain }: HelperRun): Promise<string> {
  const keychain = await openKeychain()
  const usernames = keychain.list().flatMap(({ account, secret }) => {
    const login = decodeLogin(secret)
    return login === undefined ? [] : [[account, login.username] as const]
  })
  return print(Object.fromEntries(usernames))
}

function print(document: object): string {
  return `${JSON.stringify(document)}\n`
}
