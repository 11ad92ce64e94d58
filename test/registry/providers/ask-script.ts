import type { Credential } from '../../../src/credential.ts'
import { isDrayError } from '../../../src/errors.ts'
import { parseChallenges } from '../../../src/http/challenge.ts'
import { headersFrom } from '../../../src/http/message.ts'
import type { ProviderAccess } from '../../../src/registry/providers/provider.ts'
import { registryUrl } from '../../../src/registry/registry-url.ts'
import type { WebRequest } from '../../../src/web-service.ts'
import { type FakeAnswer, fakeSend, type SeenRequest } from '../../support/fake-send.ts'

/** What a provider's own API is to answer, by `GET https://host/path` of the request; a list is used up in turn. */
export type ApiScript = Readonly<Record<string, FakeAnswer | readonly FakeAnswer[]>>

export interface AskScriptOptions {
  /** As in references. */
  readonly registry: string
  readonly api?: ApiScript
  /** What the registry's own API answers. */
  readonly own?: (request: SeenRequest) => FakeAnswer
  readonly credential?: Credential | undefined
  readonly env?: Readonly<Record<string, string>>
}

/** What a provider's file is given, and all that it asked. */
export interface AskScript {
  readonly access: ProviderAccess
  readonly asked: readonly WebRequest[]
  /** `GET https://host/path` of each question to an API. */
  readonly lines: readonly string[]
  /** The same of each request to the registry. */
  readonly ownLines: readonly string[]
}

/** A provider's surroundings, played by a script. A question that it does not know is a bug of the test or of ours. */
export function askScript(options: AskScriptOptions): AskScript {
  const { registry, api = {}, own, credential, env = {} } = options
  const asked: WebRequest[] = []
  const lines: string[] = []
  const ownLines: string[] = []
  const left = new Map(Object.entries(api).map(([line, answers]) => [line, [answers].flat()]))
  const { send } = fakeSend(request => {
    ownLines.push(lineOf(request))
    if (own === undefined) throw new Error(`the registry is not to be asked: ${lineOf(request)}`)
    return own(request)
  })
  const ask: ProviderAccess['ask'] = async request => {
    asked.push(request)
    const line = lineOf(request)
    lines.push(line)
    const answers = left.get(line) ?? []
    const answer = answers.length > 1 ? answers.shift() : answers[0]
    if (answer === undefined) throw new Error(`nobody answers ${line}`)
    const { status = 200, headers = {}, body = '' } = answer
    return { status, header: name => headers[name]?.toString(), body }
  }
  const access: ProviderAccess = {
    registry,
    url: registryUrl(registry),
    send,
    async ping() {
      const { status, header } = await ask({ method: 'GET', url: new URL('v2/', registryUrl(registry)) })
      const headers = headersFrom({ 'www-authenticate': header('www-authenticate') })
      return { status, headers, challenges: parseChallenges(headers.all('www-authenticate')) }
    },
    ask,
    findCredential: async target => {
      if (target.registry !== registry) throw new Error(`the login of ${target.registry} is none of ours`)
      return credential
    },
    env,
    tokens: new Map(),
  }
  return { access, asked, lines, ownLines }
}

function lineOf({ method, url }: Pick<WebRequest, 'method' | 'url'>): string {
  return `${method} ${url}`
}

/** The error that a promise ends in, with all that a user would see of it. */
export async function failureOf(
  promise: Promise<unknown> | undefined,
): Promise<{ code: string; shown: string }> {
  try {
    await promise
  } catch (error) {
    if (!isDrayError(error)) throw error
    const { code, message, hint } = error
    return { code, shown: `${message}\n${hint ?? ''}` }
  }
  throw new Error('it did not fail')
}
