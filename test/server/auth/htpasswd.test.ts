import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hash } from 'bcryptjs'
import { describe, expect, it } from 'vitest'
import { readHtpasswd } from '../../../src/server/auth/htpasswd.ts'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

async function readText(text: string) {
  await using folder = await makeTempDir()
  const file = join(folder.path, 'users')
  await writeFile(file, text)
  return await readHtpasswd(file)
}

describe('an htpasswd file', () => {
  it('lets its users in by their passwords, again and again', async () => {
    const [ann, bob] = await Promise.all([hash('pass:word', 4), hash('ünïcode', 4)])
    const users = await readText(`# users\r\nann:${ann.replace('$2b$', '$2y$')}\r\n\nbob:${bob}\n`)
    for (let time = 0; time < 3; time++) {
      expect(await users.check('ann', 'pass:word')).toBe(true)
      expect(await users.check('bob', 'ünïcode')).toBe(true)
      expect(await users.check('ann', 'ünïcode')).toBe(false)
      expect(await users.check('ann', '')).toBe(false)
      expect(await users.check('ann:pass', 'word')).toBe(false)
      expect(await users.check('nobody', 'pass:word')).toBe(false)
    }
  })

  it('lets nobody in when it is empty', async () => {
    expect(await (await readText('')).check('', '')).toBe(false)
  })

  it.each([
    ['ann:$apr1$x$y', 'the password of "ann" is not hashed with bcrypt', 'write it with htpasswd -B'],
    ['ann:{SHA}abc=', 'the password of "ann" is not hashed with bcrypt', 'write it with htpasswd -B'],
    ['ann:$2y$10$short', 'the password of "ann" is not hashed with bcrypt', 'write it with htpasswd -B'],
    ['nothing', 'a line must be name:hash', undefined],
    [':hash', 'a line must be name:hash', undefined],
  ])('is refused with the line %s, by its number', async (line, message, hint) => {
    await expect(readText(`\n${line}\n`)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(new RegExp(`/users:2: ${message}$`)),
      hint,
    })
  })

  it('is not found', async () => {
    await expect(readHtpasswd('/nowhere/users')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('a flood of passwords', () => {
  /** About a twentieth of a second each. */
  const cost = 9
  const wrong = (count: number) => Array.from({ length: count }, (_, at) => `wrong ${at}`)

  it('keeps nobody from the registry whose password is known', async () => {
    const users = await readText(`ann:${await hash('right', cost)}\n`)
    await using registry = await startEmbeddedRegistry({ auth: { kind: 'basic', users } })
    const ask = async (password: string) => {
      const Authorization = `Basic ${Buffer.from(`ann:${password}`).toString('base64')}`
      return (await registry.ask('GET', '/v2/', { headers: { Authorization } })).status
    }
    expect(await ask('right')).toBe(200)
    const ended: string[] = []
    const flood = wrong(10).map(async password => {
      expect(await ask(password)).toBe(401)
      ended.push(password)
    })
    for (let time = 0; time < 30; time += 1) expect(await ask('right')).toBe(200)
    expect(ended.length).toBeLessThan(10)
    await Promise.all(flood)
  })

  it.each(['basic', 'token'] as const)(
    'of one address is turned away before it keeps others waiting: %s',
    async kind => {
      const users = await readText(`ann:${await hash('right', cost)}\n`)
      const auth = { kind, users, service: 'me' } as const
      await using registry = await startEmbeddedRegistry({ auth, trustedProxies: ['127.0.0.1'] })
      const ask = (password: string, from: string) => {
        const Authorization = `Basic ${Buffer.from(`ann:${password}`).toString('base64')}`
        const headers = { Authorization, 'X-Forwarded-For': from }
        return registry.ask('GET', kind === 'token' ? '/token' : '/v2/', { headers })
      }
      const flood = wrong(30).map(password => ask(password, '192.0.2.1'))
      const answers = await Promise.all(flood.slice(16))
      for (const answer of answers) {
        expect(answer).toMatchObject({
          status: 429,
          codes: ['TOOMANYREQUESTS'],
          headers: { 'retry-after': '1' },
        })
      }
      const other = await ask('right', '192.0.2.2')
      expect(other.status).toBe(200)
      for (const answer of await Promise.all(flood.slice(0, 16))) expect(answer.status).toBe(401)
    },
  )

  it('of one IPv6 network is that of one address', async () => {
    const users = await readText(`ann:${await hash('right', cost)}\n`)
    const flood = wrong(17).map((password, at) => users.check('ann', password, `2001:db8::${at}`))
    const other = users.check('ann', 'right', '2001:db8:0:1::1')
    const answers = await Promise.allSettled(flood)
    expect(answers.slice(0, 16)).toEqual(Array(16).fill({ status: 'fulfilled', value: false }))
    expect(answers[16]).toMatchObject({ reason: { code: 'TOOMANYREQUESTS' } })
    expect(await other).toBe(true)
  })

  it('is turned away when too many wait', async () => {
    const users = await readText(`ann:${await hash('right', 4)}\n`)
    const answers = await Promise.allSettled(wrong(70).map(password => users.check('ann', password)))
    expect(answers.slice(0, 64)).toEqual(Array(64).fill({ status: 'fulfilled', value: false }))
    for (const answer of answers.slice(64)) {
      expect(answer).toMatchObject({ reason: { code: 'TOOMANYREQUESTS', status: 429 } })
    }
    expect(await users.check('ann', 'right')).toBe(true)
  })

  it('of one client with one password is one check', async () => {
    const users = await readText(`ann:${await hash('right', 4)}\n`)
    const same = Array.from({ length: 1000 }, () => users.check('ann', 'right'))
    expect(await Promise.all(same)).toEqual(Array(1000).fill(true))
  })
})

describe('an htpasswd file that changes', () => {
  it('is read again by a registry that runs', async () => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'users')
    await writeFile(file, `ann:${await hash('right', 4)}\n`)
    const warnings: string[] = []
    const auth = { kind: 'basic', users: await readHtpasswd(file) } as const
    const onWarning = (message: string) => warnings.push(message)
    await using registry = await startEmbeddedRegistry({ auth, onWarning })
    const status = async (user: string) => {
      const Authorization = `Basic ${Buffer.from(`${user}:right`).toString('base64')}`
      return (await registry.ask('GET', '/v2/', { headers: { Authorization } })).status
    }
    expect([await status('ann'), await status('bob')]).toEqual([200, 401])
    await writeFile(file, `bob:${await hash('right', 4)}\n`)
    await registry.server.reload()
    expect([await status('ann'), await status('bob')]).toEqual([401, 200])
    await rm(file)
    await registry.server.reload()
    await registry.server.reload()
    expect(await status('bob')).toBe(200)
    const reason = 'there is no such file or folder; what was read before goes on to count'
    expect(warnings).toEqual([`${file}: ${reason}`])
  })

  it('counts as it is now, and as it was while it cannot be read', async () => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'users')
    const [old, young] = await Promise.all([hash('old', 4), hash('young', 4)])
    await writeFile(file, `ann:${old}\nbob:${old}\n`)
    const users = await readHtpasswd(file)
    const stamp = users.stampOf?.('ann')
    expect(await users.check('ann', 'old')).toBe(true)
    await writeFile(file, 'nonsense')
    await expect(users.reload?.()).rejects.toMatchObject({ code: 'USAGE' })
    expect(await users.check('ann', 'old')).toBe(true)
    await writeFile(file, `ann:${young}\n`)
    await users.reload?.()
    expect(await users.check('ann', 'old')).toBe(false)
    expect(await users.check('ann', 'young')).toBe(true)
    expect(await users.check('bob', 'old')).toBe(false)
    expect(users.stampOf?.('ann')).not.toBe(stamp)
    expect(users.stampOf?.('bob')).toBeUndefined()
  })
})
