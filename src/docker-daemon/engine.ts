import * as z from 'zod/mini'
import { DrayError, type ErrorCode, isDrayError, quote } from '../errors.ts'
import { systemCode } from '../files/io-error.ts'
import type { Chunks } from '../flow.ts'
import { collect } from '../oci/content.ts'
import { type Descriptor, descriptorSchema } from '../oci/descriptor.ts'
import { absentOr, checkShape, parseJson } from '../oci/document.ts'
import { defaultTag, parseReference } from '../oci/reference.ts'
import { EngineConnection, type EngineTls } from './engine-connection.ts'
import type { EngineAnswer, EngineRequest } from './engine-exchange.ts'
import { parseEngineHost } from './engine-host.ts'
import { findEngineError } from './engine-messages.ts'

/** How an engine is reached. */
export interface ConnectEngineOptions {
  readonly tls?: EngineTls | undefined
  /**
   * How long an engine may be silent, in milliseconds; a minute when absent. It may be so ten times as long while it packs
   * or unpacks images, of which it does not tell.
   */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** The newest version of docker's API that this program knows; an engine is asked by an older one if that is its own. */
const newestApi = '1.51'

/**
 * Connects with the first engine that answers (docker's Engine API, `GET /_ping`).
 * @param hosts where engines may listen, as DOCKER_HOST says it; several where none was named, see `defaultEngineHosts`
 * @throws DrayError `USAGE` or `UNSUPPORTED` for a host that cannot be one; `NETWORK`, `TIMEOUT`, `ABORTED`, `REGISTRY`
 */
export async function connectEngine(
  hosts: readonly [string, ...string[]],
  options: ConnectEngineOptions = {},
): Promise<Engine> {
  const faults: DrayError[] = []
  for (const host of hosts) {
    try {
      return await connect(host, options)
    } catch (error) {
      if (!isDrayError(error, 'NETWORK')) throw error
      faults.push(error)
    }
  }
  throw noEngine(faults)
}

/** An image in an engine. */
export interface EngineImage {
  /** Docker's image ID. */
  readonly id: string
  /** What the engine has for it, where the engine keeps manifests and tells them (docker 28 with containerd's store). */
  readonly descriptor: Descriptor | undefined
}

/** An engine that speaks docker's API: docker, podman and others. */
export class Engine {
  readonly name: string
  /** The version of the API that is spoken. */
  readonly version: string
  readonly #connection: EngineConnection
  readonly #idleMs: number
  readonly #signal: AbortSignal | undefined

  /** For `connectEngine`. */
  constructor(connection: EngineConnection, { version, idleMs, signal }: EngineTerms) {
    this.name = connection.name
    this.version = version
    this.#connection = connection
    this.#idleMs = idleMs
    this.#signal = signal
  }

  /**
   * Looks for an image (`GET /images/NAME/json`).
   * @param image a name or an ID; without a tag a name means `latest`
   * @throws DrayError `INVALID_REFERENCE`, `UNAUTHORIZED`, `REGISTRY`, `INTEGRITY`, `NETWORK`, `TIMEOUT`, `ABORTED`
   */
  async findImage(image: string): Promise<EngineImage | undefined> {
    const answer = await this.#ask({
      method: 'GET',
      path: `/images/${pathOf(image)}/json`,
      idleMs: this.#idleMs,
    })
    if (answer.status === 404) {
      await this.#messageOf(answer)
      return undefined
    }
    await this.#checkStatus(answer, `look for ${quote(image)}`)
    const what = `${this.name}: what the engine tells of ${quote(image)}`
    const document = parseJson(await collect(answer.body, maxAnswerBytes, what), what)
    const { Id: id, Descriptor: descriptor } = checkShape(imageSchema, document, what)
    return { id, descriptor }
  }

  /**
   * An image as an archive of docker's (`GET /images/NAME/get`).
   * @param image a name or an ID; without a tag a name means `latest`
   * @throws DrayError `NOT_FOUND`, and as `findImage`; the iteration `NETWORK`, `TIMEOUT` and `ABORTED`
   */
  async save(image: string): Promise<Chunks> {
    const idleMs = this.#idleMs * workFactor
    const answer = await this.#ask({ method: 'GET', path: `/images/${pathOf(image)}/get`, idleMs })
    await this.#checkStatus(answer, `save ${quote(image)}`)
    return answer.body
  }

  /**
   * Loads the images of an archive (`POST /images/load`).
   * @throws DrayError `REGISTRY` where the engine cannot, and as `findImage`; what the content throws
   */
  async load(content: Chunks): Promise<void> {
    const idleMs = this.#idleMs * workFactor
    const answer = await this.#ask({ method: 'POST', path: '/images/load', body: content, idleMs })
    await this.#checkStatus(answer, 'load images')
    const fault = await findEngineError(answer.body, this.name)
    if (fault !== undefined)
      throw new DrayError('REGISTRY', `${this.name}: cannot load images: ${quote(fault)}`)
  }

  #ask(question: Omit<EngineRequest, 'signal'>): Promise<EngineAnswer> {
    const path = `/v${this.version}${question.path}`
    return this.#connection.ask({ ...question, path, signal: this.#signal })
  }

  async #checkStatus(answer: EngineAnswer, action: string): Promise<void> {
    const { status } = answer
    if (status === 200) return
    const text = `${this.name}: cannot ${action}: the engine answered ${status}`
    const message = await this.#messageOf(answer)
    const said = message === undefined ? '' : `: ${quote(message)}`
    throw new DrayError(codeOf(status), `${text}${said}`, { status })
  }

  async #messageOf({ body }: EngineAnswer): Promise<string | undefined> {
    const bytes = await collect(body, maxAnswerBytes, this.name)
    try {
      return checkShape(errorSchema, parseJson(bytes, this.name), this.name).message
    } catch (error) {
      // A proxy in front may say it in another way; the status alone tells enough.
      if (isDrayError(error, 'INTEGRITY')) return undefined
      throw error
    }
  }
}

interface EngineTerms {
  readonly version: string
  readonly idleMs: number
  readonly signal: AbortSignal | undefined
}

const maxAnswerBytes = 16 * 1024 * 1024
const workFactor = 10

const errorSchema = z.looseObject({ message: z.string() })
const versionSchema = z.looseObject({ ApiVersion: z.string().check(z.regex(/^[0-9]+\.[0-9]+$/)) })
const imageSchema = z.looseObject({ Id: z.string(), Descriptor: absentOr(descriptorSchema) })

async function connect(
  host: string,
  { tls, timeoutMs = 60_000, signal }: ConnectEngineOptions,
): Promise<Engine> {
  const connection = new EngineConnection(parseEngineHost(host), tls)
  const get = async (path: string) => {
    const { status, headers, body } = await connection.ask({ method: 'GET', path, idleMs: timeoutMs, signal })
    const bytes = await collect(body, maxAnswerBytes, connection.name)
    if (status === 200) return { headers, bytes }
    throw new DrayError(
      codeOf(status),
      `${connection.name}: no engine of docker's, it answers ${path} with ${status}`,
      { status },
    )
  }
  const { headers } = await get('/_ping')
  const told = headers['api-version']
  const what = `${connection.name}: what the engine tells of its version`
  const document =
    typeof told === 'string' ? { ApiVersion: told } : parseJson((await get('/version')).bytes, what)
  const { ApiVersion: own } = checkShape(versionSchema, document, what)
  return new Engine(connection, {
    version: isOlder(own, newestApi) ? own : newestApi,
    idleMs: timeoutMs,
    signal,
  })
}

function isOlder(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number)
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}

function codeOf(status: number): ErrorCode {
  if (status === 404) return 'NOT_FOUND'
  return status === 401 || status === 403 ? 'UNAUTHORIZED' : 'REGISTRY'
}

/** What is no ID must be a reference, in which nothing has to be escaped. A name alone would mean all its tags. */
function pathOf(image: string): string {
  if (/^(?:sha256:)?[0-9a-f]{12,64}$/.test(image)) return image
  const { digest } = parseReference(image)
  const isNameOnly = digest === undefined && !/:[^/\]]*$/.test(image)
  return isNameOnly ? `${image}:${defaultTag}` : image
}

function noEngine(faults: readonly DrayError[]): DrayError {
  const [first, ...others] = faults
  const forbidden = faults.find(({ cause }) => ['EACCES', 'EPERM'].includes(systemCode(cause) ?? ''))
  if (forbidden !== undefined) return forbidden
  if (first !== undefined && others.length === 0) return first
  const tried = faults.map(({ message }) => message).join('; ')
  return new DrayError('NETWORK', `no engine of docker's or podman's answers: ${tried}`, {
    hint: 'start one, or say with DOCKER_HOST where it listens',
  })
}
