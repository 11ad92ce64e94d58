import { describe, expect, test } from 'vitest'
import { DrayError } from '../src/errors.ts'
import { withWorkGroup } from '../src/work-group.ts'
import { settle } from './transfer/images.ts'

describe('a work group', () => {
  test('gives the results in the order of the items, however long each took', async () => {
    const results = await withWorkGroup({ limit: 3 }, group =>
      group.map([30, 1, 20, 2, 10], async rounds => {
        for (let round = 0; round < rounds; round++) await Promise.resolve()
        return rounds * 2
      }),
    )
    expect(results).toEqual([60, 2, 40, 4, 20])
  })

  test('keeps exactly as many pieces of work going as the limit says, and starts them in order', async () => {
    const started: number[] = []
    const ends: (() => void)[] = []
    const done = withWorkGroup({ limit: 2 }, group =>
      group.map([0, 1, 2, 3], async item => {
        started.push(item)
        await new Promise<void>(resolve => ends.push(resolve))
      }),
    )
    await settle()
    expect(started).toEqual([0, 1])
    ends[1]?.()
    await settle()
    expect(started).toEqual([0, 1, 2])
    ends[0]?.()
    ends[2]?.()
    await settle()
    ends[3]?.()
    await done
    expect(started).toEqual([0, 1, 2, 3])
  })

  test('keeps the weight of what is under way within the limit, and does alone what is heavier', async () => {
    const weights = [2, 2, 1, 1, 9, 1]
    const started: number[] = []
    const ends: (() => void)[] = []
    const work = async (at: number) => {
      started.push(at)
      await new Promise<void>(resolve => ends.push(resolve))
    }
    const done = withWorkGroup({ limit: 4 }, group =>
      group.map([...weights.keys()], work, at => weights[at] ?? 0),
    )
    /** Lets one end, and tells what has started by then. */
    const end = async (at: number) => {
      ends[at]?.()
      await settle()
      return started.length
    }
    await settle()
    expect(started).toEqual([0, 1])
    expect(await end(1)).toBe(4)
    expect([await end(0), await end(2)]).toEqual([4, 4])
    expect(await end(3)).toBe(5)
    expect(await end(4)).toBe(6)
    await end(5)
    await done
    expect(started).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('throws the first failure after all have ended, and starts nothing more', async () => {
    const log: string[] = []
    const work = (group: { signal: AbortSignal }) => async (item: number) => {
      log.push(`start ${item}`)
      if (item === 1) throw new DrayError('NOT_FOUND', 'the true cause')
      await new Promise<void>(resolve => group.signal.addEventListener('abort', () => resolve()))
      await settle()
      log.push(`end ${item}`)
      throw new DrayError('ABORTED', 'what followed from it')
    }
    const failed = withWorkGroup({ limit: 2 }, group => group.map([0, 1, 2], work(group)))
    await expect(failed).rejects.toThrow('the true cause')
    expect(log).toEqual(['start 0', 'start 1', 'end 0'])
  })

  test('starts nothing more after a failure, also where the work before went well', async () => {
    const started: number[] = []
    let end = () => {}
    const failed = withWorkGroup({ limit: 2 }, group =>
      group.map([0, 1, 2], async item => {
        started.push(item)
        if (item === 1) throw new Error('failed')
        await new Promise<void>(resolve => {
          end = resolve
        })
      }),
    )
    const outcome = failed.catch((error: Error) => error.message)
    await settle()
    end()
    expect(await outcome).toBe('failed')
    expect(started).toEqual([0, 1])
  })

  test('throws ABORTED with the reason as its cause when the caller aborts', async () => {
    const caller = new AbortController()
    const reason = new Error('ctrl-c')
    const failed = withWorkGroup({ limit: 1, signal: caller.signal }, group =>
      group.map([1, 2], async () => caller.abort(reason)),
    )
    await expect(failed).rejects.toMatchObject({ name: 'DrayError', code: 'ABORTED', cause: reason })
  })

  test('does no work at all for a caller who has aborted before', async () => {
    let calls = 0
    const failed = withWorkGroup({ limit: 1, signal: AbortSignal.abort() }, async () => {
      calls += 1
    })
    await expect(failed).rejects.toMatchObject({ code: 'ABORTED' })
    expect(calls).toBe(0)
  })

  test('waits for all of the promises that it is given before it throws', async () => {
    let ended = false
    const slow = async () => {
      await settle()
      ended = true
    }
    const failed = withWorkGroup({ limit: 1 }, group =>
      group.all([Promise.reject(new Error('at once')), slow()]),
    )
    await expect(failed).rejects.toThrow('at once')
    expect(ended).toBe(true)
  })
})
