import * as z from 'zod/mini'
import type { Credential } from '../credential.ts'
import { DrayError, quote } from '../errors.ts'
import { type HelperCall, type HelperContext, type HelperOutput, runHelper } from './helper-process.ts'
import { credentialFromLogin, loginFromCredential } from './login.ts'
import { serverKey } from './server-key.ts'

/** Speaks to the programs `docker-credential-NAME` (docker/docker-credential-helpers, README "Development"). */
export interface HelperClient {
  /**
   * The registry's credential, or undefined when the helper has none. Each helper is asked once for each registry; all
   * who ask share the answer, and a failure too.
   */
  get(name: string, registry: string): Promise<Credential | undefined>
  store(name: string, registry: string, credential: Credential): Promise<void>
  /** Does nothing when the helper has none. */
  erase(name: string, registry: string): Promise<void>
  /** The usernames by server key. */
  list(name: string): Promise<Readonly<Record<string, string>>>
}

/**
 * A client that remembers answers for as long as it lives. Its methods throw what `runHelper` throws, and DrayError
 * `IO` when the helper fails, `INTEGRITY` when its output is malformed, `UNSUPPORTED` when it cannot keep a credential.
 */
export function createHelperClient(context: HelperContext): HelperClient {
  const answers = new Map<string, Promise<Credential | undefined>>()
  const answerKey = (name: string, registry: string) => `${name} ${serverKey(registry)}`

  return {
    get(name, registry) {
      const key = answerKey(name, registry)
      const answer = answers.get(key) ?? getCredential(callOf(name, 'get', serverKey(registry)), context)
      answers.set(key, answer)
      return answer
    },
    async store(name, registry, credential) {
      const { username, secret } = loginFromCredential(credential)
      const login = { ServerURL: serverKey(registry), Username: username, Secret: secret }
      const call = callOf(name, 'store', JSON.stringify(login))
      const output = await runHelper(call, context)
      answers.delete(answerKey(name, registry))
      if (!output.succeeded) throw helperFault(call, output, secret)
    },
    async erase(name, registry) {
      await ask(callOf(name, 'erase', serverKey(registry)), context)
      answers.delete(answerKey(name, registry))
    },
    async list(name) {
      const call = callOf(name, 'list', '')
      return parseOutput((await ask(call, context)) || '{}', loginsSchema, call)
    },
  }
}

const loginSchema = z.looseObject({ Username: z.nullish(z.string()), Secret: z.nullish(z.string()) })
const loginsSchema = z.record(z.string(), z.string())

const notFound = 'credentials not found in native keychain'

function callOf(name: string, action: HelperCall['action'], input: string): HelperCall {
  return { program: `docker-credential-${name}`, action, input }
}

async function getCredential(call: HelperCall, context: HelperContext): Promise<Credential | undefined> {
  const stdout = await ask(call, context)
  if (!stdout) return undefined
  const { Username, Secret } = parseOutput(stdout, loginSchema, call)
  return Secret ? credentialFromLogin(Username ?? '', Secret) : undefined
}

/** What the helper printed; undefined when it says that it has no such credential. */
async function ask(call: HelperCall, context: HelperContext): Promise<string | undefined> {
  const output = await runHelper(call, context)
  if (output.succeeded) return output.stdout.trim()
  if (`${output.stdout}${output.stderr}`.includes(notFound)) return undefined
  throw helperFault(call, output)
}

/** Neither JSON.parse's message nor its cause is passed on: they quote the text, which holds a secret. */
function parseOutput<T>(stdout: string, schema: z.ZodMiniType<T>, { program, action }: HelperCall): T {
  const result = schema.safeParse(parseJson(stdout))
  if (result.success) return result.data
  throw new DrayError('INTEGRITY', `${program} ${action}: its output is not what a credential helper prints`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function helperFault({ program, action }: HelperCall, output: HelperOutput, secret?: string): DrayError {
  // Helpers print their errors on stdout.
  const text = output.stdout.trim() || output.stderr.trim()
  return new DrayError('IO', `${program} ${action} failed${whatItSaid(text, secret)}`, {
    hint: `run "${program} list" to see whether the helper works`,
  })
}

function whatItSaid(text: string, secret?: string): string {
  if (text === '') return ' without a message'
  if (mayHoldSecret(text, secret)) return ' with a message that may hold a secret and is not shown'
  const [line = ''] = text.split(/[\r\n]/, 1)
  return `: ${quote(line)}`
}

/** True for a helper that prints the login itself, or parts of what it was given. */
function mayHoldSecret(text: string, secret = ''): boolean {
  const parts = [
    ...secret.split(/\r?\n/),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64'),
  ]
  return /secret\\?"\s*:/i.test(text) || parts.some(part => part.trim() !== '' && text.includes(part))
}
