import * as z from 'zod/mini'
import type { Credential } from '../credential.ts'
import { DrayError, quote } from '../errors.ts'
import {
  type HelperCall,
  type HelperContext,
  type HelperOutput,
  type HelperProgram,
  runHelper,
} from './helper-process.ts'
import { credentialFromLogin, loginFromCredential } from './login.ts'

/** Speaks to credential helpers (docker/docker-credential-helpers, README "Development"); keys are those of `serverKey`. */
export interface HelperClient {
  /**
   * The key's credential, or undefined when the helper has none. Each helper is asked once for each key; all who ask
   * share the answer, and a failure too.
   * @param options `renew`: what was answered is not good any more, and the helper is asked again
   */
  get(
    program: HelperProgram,
    key: string,
    options?: { readonly renew?: boolean | undefined },
  ): Promise<Credential | undefined>
  store(program: HelperProgram, key: string, credential: Credential): Promise<void>
  /** Does nothing when the helper has none. */
  erase(program: HelperProgram, key: string): Promise<void>
  /** The usernames by key. */
  list(program: HelperProgram): Promise<Readonly<Record<string, string>>>
}

/** The helper that docker's config files call NAME: `docker-credential-NAME`. */
export function dockerHelper(name: string): HelperProgram {
  const program = `docker-credential-${name}`
  return { name: program, command: [program] }
}

/**
 * A client that remembers answers for as long as it lives. Its methods throw what `runHelper` throws, and DrayError
 * `IO` when the helper fails, `INTEGRITY` when its output is malformed, `UNSUPPORTED` when it cannot keep a credential.
 */
export function createHelperClient(context: HelperContext): HelperClient {
  const answers = new Map<string, { readonly credential: Promise<Credential | undefined>; isOld: boolean }>()
  const answerKey = (program: HelperProgram, key: string) => JSON.stringify([...program.command, key])

  return {
    async get(program, key, { renew = false } = {}) {
      const at = answerKey(program, key)
      const known = answers.get(at)
      // One that is still under way is as new as can be.
      if (known !== undefined && !(renew && known.isOld)) return known.credential
      const answer = {
        credential: getCredential({ program, action: 'get', input: key }, context).finally(() => {
          answer.isOld = true
        }),
        isOld: false,
      }
      answers.set(at, answer)
      return answer.credential
    },
    async store(program, key, credential) {
      const { username, secret } = loginFromCredential(credential)
      const input = JSON.stringify({ ServerURL: key, Username: username, Secret: secret })
      const call: HelperCall = { program, action: 'store', input }
      const output = await runHelper(call, context)
      answers.delete(answerKey(program, key))
      if (!output.succeeded) throw helperFault(call, output, secret)
    },
    async erase(program, key) {
      await ask({ program, action: 'erase', input: key }, context)
      answers.delete(answerKey(program, key))
    },
    async list(program) {
      const call: HelperCall = { program, action: 'list', input: '' }
      return parseOutput((await ask(call, context)) || '{}', loginsSchema, call)
    },
  }
}

const loginSchema = z.looseObject({ Username: z.nullish(z.string()), Secret: z.nullish(z.string()) })
const loginsSchema = z.record(z.string(), z.string())

const notFound = 'credentials not found in native keychain'

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
  throw new DrayError(
    'INTEGRITY',
    `${program.name} ${action}: its output is not what a credential helper prints`,
  )
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
  return new DrayError('IO', `${program.name} ${action} failed${whatItSaid(text, secret)}`, {
    hint: whatItAdvises(text, secret) ?? `run "${program.name} list" to see whether the helper works`,
  })
}

/** What `docker-credential-dray` says below its error. */
function whatItAdvises(text: string, secret?: string): string | undefined {
  return mayHoldSecret(text, secret) ? undefined : /^hint: (\S.{0,300})$/m.exec(text)?.[1]
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
