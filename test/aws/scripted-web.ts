import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AskWebService, WebRequest } from '../../src/web-service.ts'

/** An answer of the script; 200 where nothing is said. */
export interface ScriptedAnswer {
  readonly status?: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Web services that answer from a script and write down what they were asked. */
export interface ScriptedWeb {
  readonly ask: AskWebService
  readonly requests: readonly WebRequest[]
  /** `POST https://host/path` of each request. */
  readonly lines: readonly string[]
}

/** Makes one that answers in the order of the requests; one that has no answer left throws. */
export function scriptedWeb(...answers: (ScriptedAnswer | Error)[]): ScriptedWeb {
  const requests: WebRequest[] = []
  return {
    requests,
    get lines() {
      return requests.map(({ method, url }) => `${method} ${url}`)
    },
    ask: async request => {
      const answer = answers[requests.length]
      requests.push(request)
      if (answer === undefined) throw new Error(`no answer left for ${request.method} ${request.url}`)
      if (answer instanceof Error) throw answer
      const { status = 200, body, headers = {} } = answer
      return { status, body, header: name => headers[name] }
    },
  }
}

/** The text of a file in `fixtures/clouds/`. */
export function recorded(file: string): string {
  return readFileSync(join(import.meta.dirname, '../../fixtures/clouds', file), 'utf8')
}

/** The fields of a form that was posted. */
export function formOf(request: WebRequest | undefined): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(request?.body ?? ''))
}
