import { createHmac, randomBytes } from 'node:crypto'
import { DrayError } from '../../errors.ts'
import { readBounded } from '../../files/read-bounded.ts'
import type { Users } from './users.ts'

const maxHtpasswdBytes = 16 * 1024 * 1024
const maxRemembered = 10_000

/**
 * Reads users from a file of `name:hash` lines, as `htpasswd -B` writes it. Only bcrypt hashes are taken.
 * @throws DrayError `USAGE` naming the line that is wrong, `NOT_FOUND`, `IO`
 */
export async function readHtpasswd(file: string): Promise<Users> {
  const text = (await readBounded(file, maxHtpasswdBytes)).toString('utf8')
  const hashes = new Map<string, string>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [username, hash] = parseLine(line, `${file}:${index + 1}`)
    hashes.set(username, hash)
  }
  return new HtpasswdUsers(hashes)
}

class HtpasswdUsers implements Users {
  readonly #hashes: ReadonlyMap<string, string>
  /** What was right once need not be hashed again; kept under a key of this process, so no password can be read off. */
  readonly #remembered = new Set<string>()
  readonly #key = randomBytes(32)

  constructor(hashes: ReadonlyMap<string, string>) {
    this.#hashes = hashes
  }

  async check(username: string, password: string): Promise<boolean> {
    const mark = createHmac('sha256', this.#key)
      .update(JSON.stringify([username, password]))
      .digest('hex')
    if (this.#remembered.has(mark)) return true
    const own = this.#hashes.get(username)
    // An unknown name costs as much time as a known one, so that time does not tell which names there are.
    const [some] = this.#hashes.values()
    const hash = own ?? some
    if (hash === undefined) return false
    const { compare } = await import('bcryptjs')
    const isRight = await compare(password, hash)
    if (!isRight || own === undefined) return false
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear()
    this.#remembered.add(mark)
    return true
  }
}

function parseLine(line: string, where: string): [username: string, hash: string] {
  const [, username, hash] = /^([^:]+):(\S+)\s*$/.exec(line) ?? []
  if (username === undefined || hash === undefined) {
    throw new DrayError('USAGE', `${where}: a line must be name:hash`)
  }
  if (/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash)) return [username, hash]
  throw new DrayError('USAGE', `${where}: the password of "${username}" is not hashed with bcrypt`, {
    hint: 'write it with htpasswd -B',
  })
}
