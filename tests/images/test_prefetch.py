import time

from sigscope.images.prefetch import prefetch


def test_threads_stay_a_few_jobs_ahead_and_in_order():
    started, most = [], []

    def work(job):
        started.append(job)
        time.sleep(0.001 * (job % 3))
        return job

    jobs = prefetch(work, range(50), workers=2)
    for done, job in enumerate(jobs):
        assert job == done
        most.append(len(started) - done)
    assert max(most) <= 3
