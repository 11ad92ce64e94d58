import { createHash, createHmac, randomBytes } from 'node:crypto'
import { DrayError, quote } from '../../errors.ts'
import { readBounded } from '../../files/read-bounded.ts'
import { RecentMap } from '../../recent-map.ts'
import { RegistryFault } from '../errors.ts'
import { FileStamps } from '../file-stamps.ts'
import { BcryptWorker } from './bcrypt-worker.ts'
import type { Users } from './users.ts'

const maxHtpasswdBytes = 16 * 1024 * 1024
const maxRemembered = 10_000
/** Passwords that may wait to be checked, about 50 ms each: of all, and of one address or its network. */
const maxWaiting = 64
const maxWaitingOfOne = 16

/**
 * Reads users from a file of `name:hash` lines, as `htpasswd -B` writes it. Only bcrypt hashes are taken. Passwords are
 * checked on another thread, one after the other; what was right or wrong lately is known without that.
 * @throws DrayError `USAGE` naming the line that is wrong, `NOT_FOUND`, `IO`
 */
export async function readHtpasswd(file: string): Promise<Users> {
  const stamps = await FileStamps.of([file])
  return new HtpasswdUsers(await readHashes(file), async () => stamps.readIfChanged(() => readHashes(file)))
}

type Hashes = ReadonlyMap<string, string>

class HtpasswdUsers implements Users {
  #hashes: Hashes
  readonly #readIfChanged: () => Promise<Hashes | undefined>
  readonly #bcrypt = new BcryptWorker()
  /** Apart from one another, so that a flood of wrong passwords leaves the right ones known. */
  readonly #right = new RecentMap<string, true>(maxRemembered)
  readonly #wrong = new RecentMap<string, true>(maxRemembered)
  readonly #checking = new Map<string, Checking>()
  readonly #key = randomBytes(32)

  constructor(hashes: Hashes, readIfChanged: () => Promise<Hashes | undefined>) {
    this.#hashes = hashes
    this.#readIfChanged = readIfChanged
  }

  async check(username: string, password: string, from?: string): Promise<boolean> {
    const own = this.#hashes.get(username)
    // An unknown name costs as much time as a known one, so that time does not tell which names there are.
    const [some] = this.#hashes.values()
    const hash = own ?? some
    if (hash === undefined) return false
    const mark = this.#markOf([username, password, hash])
    if (this.#right.get(mark)) return true
    if (this.#wrong.get(mark)) return false
    const isRight = await this.#compareOnce(mark, from, () => this.#bcrypt.compare(password, hash))
    const isLogin = isRight && own !== undefined
    ;(isLogin ? this.#right : this.#wrong).set(mark, true)
    return isLogin
  }

  stampOf(username: string): string | undefined {
    const hash = this.#hashes.get(username)
    return hash && createHash('sha256').update(hash).digest('base64url').slice(0, 22)
  }

  async reload(): Promise<void> {
    this.#hashes = (await this.#readIfChanged()) ?? this.#hashes
  }

  /** Under a key of this process, so that no password can be read off, and with the hash, which changes with it. */
  #markOf(login: readonly [username: string, password: string, hash: string]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(login)).digest('base64')
  }

  /** Many connections of one client ask the same at the same time. */
  #compareOnce(mark: string, from: string | undefined, compare: () => Promise<boolean>): Promise<boolean> {
    const known = this.#checking.get(mark)
    if (known !== undefined) return known.isRight
    const network = from === undefined ? undefined : networkOf(from)
    const checking = [...this.#checking.values()]
    const ofOne = checking.filter(other => network !== undefined && other.network === network)
    if (checking.length >= maxWaiting || ofOne.length >= maxWaitingOfOne) {
      const headers = { 'Retry-After': 1 }
      throw new RegistryFault('TOOMANYREQUESTS', 'too many passwords wait to be checked', { headers })
    }
    const isRight = compare().finally(() => this.#checking.delete(mark))
    this.#checking.set(mark, { isRight, network })
    return isRight
  }
}

interface Checking {
  readonly isRight: Promise<boolean>
  readonly network: string | undefined
}

/** An IPv4 address, or the /64 of an IPv6 one, all addresses of which one client may have. */
function networkOf(address: string): string {
  const [head = '', tail] = address.split('::')
  if (!address.includes(':') || tail === undefined) return address.split(':').slice(0, 4).join(':')
  return [...head.split(':'), '0', '0', '0', '0'].slice(0, 4).join(':')
}

async function readHashes(file: string): Promise<Hashes> {
  const text = (await readBounded(file, maxHtpasswdBytes)).toString('utf8')
  const hashes = new Map<string, string>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [username, hash] = parseLine(line, `${file}:${index + 1}`)
    hashes.set(username, hash)
  }
  return hashes
}

function parseLine(line: string, where: string): [username: string, hash: string] {
  const [, username, hash] = /^([^:]+):(\S+)\s*$/.exec(line) ?? []
  if (username === undefined || hash === undefined) {
    throw new DrayError('USAGE', `${where}: a line must be name:hash`)
  }
  if (/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash)) return [username, hash]
  throw new DrayError('USAGE', `${where}: the password of ${quote(username)} is not hashed with bcrypt`, {
    hint: 'write it with htpasswd -B',
  })
}
