import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hash } from 'bcryptjs'
import { describe, expect, it } from 'vitest'
import { readHtpasswd } from '../../../src/server/auth/htpasswd.ts'
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
