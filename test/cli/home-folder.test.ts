import { userInfo } from 'node:os'
import { describe, expect, it } from 'vitest'
import { homeFolder } from '../../src/cli/home-folder.ts'

describe('the home folder', () => {
  it('is what HOME says', () => expect(homeFolder('/home/anna')).toBe('/home/anna'))

  it.each([undefined, ''])('is that of the user where HOME is %j', home => {
    expect(homeFolder(home)).toBe(userInfo().homedir)
  })

  it('is / for a user whom the system does not know', () => {
    const unknown = () => {
      throw new Error('no such user')
    }
    expect(homeFolder(undefined, unknown)).toBe('/')
    expect(homeFolder('', () => '')).toBe('/')
  })
})
