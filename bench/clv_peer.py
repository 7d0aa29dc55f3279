"""The same fits and predictions as one writes them with numpy and scipy.

The formulas and methods are those that the package lifetimes uses: a vectorised
negative mean log-likelihood over ln theta, minimised from theta = 1 (BFGS with
the gradient where there is one, Nelder-Mead for Pareto/NBD), the conditional
expectation with hyp2f1, the value of a year as twelve monthly differences of
it.  Reads "x t_x T m" a customer, times each task on the summary in memory, and
prints "population|what|variant|seconds|value".  The uncollapsed fit of
Pareto/NBD would take minutes: it is one evaluation of all rows, timed, times
the evaluations of the collapsed fit.
"""
import sys
import time

import numpy as np
import scipy
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1, psi

rounds = 3


def timed(population, what, variant, task, least=3.0):
    seconds = []
    while len(seconds) < rounds:
        started = time.perf_counter()
        value = task()
        seconds.append(time.perf_counter() - started)
        if sum(seconds) > least:
            break
    report(population, what, variant, float(np.median(seconds)), value)
    return seconds


def report(population, what, variant, seconds, value):
    print(population, what, variant, seconds, value, sep='|', flush=True)


def bg_nll(u, x, t_x, T, w):
    r, alpha, a, b = np.exp(u)
    more = np.maximum(x, 1) - 1
    alive = -(r + x) * np.log(alpha + T)
    left = np.where(x > 0, np.log(a) - np.log(b + more) - (r + x) * np.log(alpha + t_x), -np.inf)
    both = np.logaddexp(alive, left)
    share = np.exp(left - both)
    value = (gammaln(r + x) - gammaln(r) + r * np.log(alpha) + gammaln(a + b) + gammaln(b + x)
             - gammaln(b) - gammaln(a + b + x) + both)
    dr = psi(r + x) - psi(r) + np.log(alpha) - (1 - share) * np.log(alpha + T) - share * np.log(alpha + t_x)
    dalpha = r / alpha - (r + x) * ((1 - share) / (alpha + T) + share / (alpha + t_x))
    da = psi(a + b) - psi(a + b + x) + share / a
    db = psi(a + b) - psi(a + b + x) + psi(b + x) - psi(b) - share / (b + more)
    total = w.sum()
    gradient = np.array([(w * d).sum() * p for d, p in zip((dr, dalpha, da, db), (r, alpha, a, b))])
    return -(w * value).sum() / total, -gradient / total


def pareto_nll(u, x, t_x, T, w):
    r, alpha, s, beta = np.exp(u)
    n = r + s + x
    if alpha >= beta:
        low, high, second = beta, alpha, s + 1
    else:
        low, high, second = alpha, beta, r + x
    f1 = hyp2f1(n, second, n + 1, (high - low) / (high + t_x))
    f2 = hyp2f1(n, second, n + 1, (high - low) / (high + T))
    ln_gap = np.log(np.maximum(f1 / (high + t_x) ** n - f2 / (high + T) ** n, 1e-300))
    alive = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
    value = (gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
             + np.logaddexp(alive, np.log(s) - np.log(n) + ln_gap))
    return -(w * value).sum() / w.sum()


def gg_nll(u, x, m, w):
    p, q, v = np.exp(u)
    inside = np.log(x * m + v)
    value = (gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v) + (p * x - 1) * np.log(m)
             + p * x * np.log(x) - (p * x + q) * inside)
    dp = x * (psi(p * x + q) - psi(p * x) + np.log(m) + np.log(x) - inside)
    dq = psi(p * x + q) - psi(q) + np.log(v) - inside
    dv = q / v - (p * x + q) / (x * m + v)
    gradient = np.array([(w * d).sum() * t for d, t in zip((dp, dq, dv), (p, q, v))])
    return -(w * value).sum() / w.sum(), -gradient / w.sum()


def bg_alive(theta, x, t_x, T):
    r, alpha, a, b = theta
    odds = a / (b + np.maximum(x, 1) - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    return np.where(x > 0, 1 / (1 + odds), 1.0)


def bg_expected(theta, t, x, t_x, T):
    r, alpha, a, b = theta
    f = hyp2f1(r + x, b + x, a + b + x - 1, t / (alpha + T + t))
    return (bg_alive(theta, x, t_x, T) * (a + b + x - 1) / (a - 1)
            * (1 - ((alpha + T) / (alpha + T + t)) ** (r + x) * f))


def value_of_a_year(theta, spend, x, t_x, T, m):
    p, q, v = spend
    mean = np.where(x > 0, p * (v + x * np.where(x > 0, m, 0)) / (p * x + q - 1), p * v / (q - 1))
    total = 0
    before = 0
    for month in range(1, 13):
        now = bg_expected(theta, month * 52 / 12, x, t_x, T)
        total = total + (now - before) * np.exp(-0.0018 * month * 52 / 12)
        before = now
    return total * mean


def collapse(*columns):
    rows, counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return [rows[:, i] for i in range(rows.shape[1])] + [counts.astype(float)]


print('versions', f'Python {sys.version.split()[0]}, numpy {np.__version__}, scipy {scipy.__version__}', sep='|')
for file in sys.argv[1:]:
    population = file.rsplit('/', 1)[-1].split('.')[0]
    x, t_x, T, m = np.fromfile(file, sep=' ').reshape(-1, 4).T.copy()
    one = np.ones_like(x)
    buyers = x > 0
    np.seterr(all='ignore')

    started = time.perf_counter()
    cx, ct_x, cT, cw = collapse(x, t_x, T)
    report(population, 'collapsing', 'np.unique', time.perf_counter() - started, len(cw))
    kept = {}

    def fit(name, nll, start, arguments, method, jacobian):
        result = minimize(nll, start, args=arguments, jac=jacobian, method=method,
                          options={'maxiter': 2000})
        kept[name] = np.exp(result.x), result.nfev
        return -result.fun * arguments[-1].sum()

    timed(population, 'fit BG/NBD', 'all rows',
          lambda: fit('bg', bg_nll, np.zeros(4), (x, t_x, T, one), 'BFGS', True))
    timed(population, 'fit BG/NBD', 'collapsed',
          lambda: fit('bg', bg_nll, np.zeros(4), (cx, ct_x, cT, cw), 'BFGS', True))
    timed(population, 'fit Gamma-Gamma', 'all rows',
          lambda: fit('gg', gg_nll, np.zeros(3), (x[buyers], m[buyers], one[buyers]), 'BFGS', True))
    theta, spend = kept['bg'][0], kept['gg'][0]
    timed(population, 'P(alive), BG/NBD', 'all rows', lambda: bg_alive(theta, x, t_x, T).sum())
    timed(population, 'expected purchases of 39 weeks, BG/NBD', 'all rows',
          lambda: bg_expected(theta, 39, x, t_x, T).sum())
    timed(population, 'value of a year, BG/NBD', 'all rows',
          lambda: value_of_a_year(theta, spend, x, t_x, T, m).sum())

    if population == 'shop':
        # Too long even when collapsed: the evaluations of the other population's fit.
        # What it would find is worth nothing: (high + t_x) ** n overflows for customers of
        # some 140 purchases and more.
        started = time.perf_counter()
        pareto_nll(np.log([1, 2, 0.5, 50]), cx, ct_x, cT, cw)
        each = time.perf_counter() - started
        report(population, 'fit Pareto/NBD', 'collapsed, computed', each * evaluations, '')
        report(population, 'fit Pareto/NBD', 'all rows, computed', each * evaluations * len(x) / len(cx), '')
        continue
    timed(population, 'fit Pareto/NBD', 'collapsed',
          lambda: fit('pareto', pareto_nll, np.zeros(4), (cx, ct_x, cT, cw), 'Nelder-Mead', None))
    if population != 'sample':
        started = time.perf_counter()
        pareto_nll(np.log(kept['pareto'][0]), x, t_x, T, one)
        evaluations = kept['pareto'][1]
        report(population, 'fit Pareto/NBD', 'all rows, computed', (time.perf_counter() - started) * evaluations, '')
    else:
        timed(population, 'fit Pareto/NBD', 'all rows',
              lambda: fit('pareto', pareto_nll, np.zeros(4), (x, t_x, T, one), 'Nelder-Mead', None))
