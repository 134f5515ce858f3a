"""The compiled loops of `rooms`: a ray-caster for its views, and the sum that colours them.

In a file of its own, because numba loads slowly, and the settings of `rooms` do without it.
"""

from typing import no_type_check

import numpy as np

from unweave.files import compiled

# The room: floor y = 0, walls x = WALL and z = WALL, sky above TOP. The object stands at the origin.
WALL, TOP = 3.7, 3.3
DISTANCE, HEIGHT, PITCH, ZOOM = 7.6, 3.1, 0.29, 2.4  # of the camera; pitch in radians, zoom 1 / tan(half the angle)
AMBIENT = 0.42
CUBE, CYLINDER, SPHERE = range(3)  # 3 is the capsule


@compiled()
@no_type_check
def _hit(shape, ox, oy, oz, dx, dy, dz):
    """Distance along the unit ray and the normal where it first meets the object at scale 1; infinite if never."""
    miss = (np.inf, 0.0, 0.0, 0.0)
    if shape == CUBE:
        half, middle = 0.86, 0.86
        near, far, axis = -np.inf, np.inf, 0
        for k in range(3):
            o = ox if k == 0 else (oy - middle if k == 1 else oz)
            d = dx if k == 0 else (dy if k == 1 else dz)
            d = d if abs(d) > 1e-12 else 1e-12
            a, b = min((-half - o) / d, (half - o) / d), max((-half - o) / d, (half - o) / d)
            if a > near:
                near, axis = a, k
            far = min(far, b)
        if near > far or near < 1e-6:
            return miss
        if axis == 0:
            return near, -np.sign(dx), 0.0, 0.0
        return (near, 0.0, -np.sign(dy), 0.0) if axis == 1 else (near, 0.0, 0.0, -np.sign(dz))
    if shape == SPHERE:
        return _hit_ball(ox, oy - 1.05, oz, dx, dy, dz, 1.05)
    radius, low, high = (0.85, 0.0, 1.9) if shape == CYLINDER else (0.62, 0.62, 1.78)
    best = miss
    a, b, c = dx * dx + dz * dz, ox * dx + oz * dz, ox * ox + oz * oz - radius * radius
    if a > 1e-12 and b * b > a * c:
        t = (-b - np.sqrt(b * b - a * c)) / a
        if t > 1e-6 and low <= oy + t * dy <= high:
            best = (t, (ox + t * dx) / radius, 0.0, (oz + t * dz) / radius)
    if shape == CYLINDER:
        t = (high - oy) / (dy if abs(dy) > 1e-12 else 1e-12)
        x, z = ox + t * dx, oz + t * dz
        if 1e-6 < t < best[0] and x * x + z * z < radius * radius:
            best = (t, 0.0, 1.0, 0.0)
        return best
    for end in (low, high):
        cap = _hit_ball(ox, oy - end, oz, dx, dy, dz, radius)
        if cap[0] < best[0]:
            best = cap
    return best


@compiled()
@no_type_check
def _hit_ball(ox, oy, oz, dx, dy, dz, radius):
    b, c = ox * dx + oy * dy + oz * dz, ox * ox + oy * oy + oz * oz - radius * radius
    t = -b - np.sqrt(b * b - c) if b * b > c else np.inf
    if not 1e-6 < t < np.inf:
        return np.inf, 0.0, 0.0, 0.0
    return t, (ox + t * dx) / radius, (oy + t * dy) / radius, (oz + t * dz) / radius


@compiled()
@no_type_check
def _soft_light(cosine):
    """Lambert's law of a wide lamp, that reaches a little around the edge."""
    return max(0.0, (cosine + 0.35) / 1.35)


@compiled()
@no_type_check
def _shade(shape, scale, ox, oy, oz, dx, dy, dz, lx, ly, lz):
    """Surface (0 floor, 1 wall, 2 object, 3 sky), its light in [0, 1], and the highlight or the height in the sky."""
    t, nx, ny, nz = _hit(shape, ox / scale, oy / scale, oz / scale, dx, dy, dz)
    if t < np.inf:  # nothing stands before the object
        hx, hy, hz = lx - dx, ly - dy, lz - dz
        shine = max(0.0, (nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz))
        light = AMBIENT * (0.75 + 0.25 * ny) - 0.16 * (nx * dx + ny * dy + nz * dz)  # from above, and from the camera
        light = min(0.97, light + 0.52 * _soft_light(nx * lx + ny * ly + nz * lz))
        return 2, light, min(1.0 - light, 0.35 * shine**40)
    t = -oy / dy if dy < 0 else np.inf
    x, z = ox + t * dx, oz + t * dz
    if t < np.inf and x < WALL and z < WALL:
        crease = (1 - 0.30 * np.exp(-2.2 * (WALL - x))) * (1 - 0.30 * np.exp(-2.2 * (WALL - z)))
        near = max(0.0, np.sqrt(x * x + z * z) / scale - 0.6)
        contact = 1 - 0.45 * np.exp(-3.0 * near)
        lit = 0.0 if _hit(shape, x / scale, 0.0, z / scale, lx, ly, lz)[0] < np.inf else 1.0
        return 0, min(1.0, crease * (AMBIENT * contact + 0.66 * ly * lit)), 0.0
    tx, tz = (WALL - ox) / dx if dx > 0 else np.inf, (WALL - oz) / dz if dz > 0 else np.inf
    t = min(tx, tz)
    y, along = oy + t * dy, (oz + t * dz if tx < tz else ox + t * dx)
    if t < np.inf and y < TOP:
        crease = (1 - 0.30 * np.exp(-2.2 * y)) * (1 - 0.25 * np.exp(-2.2 * (WALL - along)))
        return 1, min(1.0, crease * (0.53 + 0.55 * _soft_light(-lx if tx < tz else -lz))), 0.0
    return 3, 0.0, dy


@compiled()
@no_type_check
def cast_rays(scales, shapes, turns, rays, views):
    side = views.shape[1]
    samples = rays * rays
    for v in range(len(views)):
        turn = turns[v] + np.pi / 4  # at 0 degrees the camera looks straight into the corner
        fx, fz = np.cos(turn), np.sin(turn)
        ox, oy, oz = -DISTANCE * fx, HEIGHT, -DISTANCE * fz
        for row in range(side):
            for column in range(side):
                total = np.zeros(6)
                for s in range(samples):
                    u = (2 * (column + (s % rays + 0.5) / rays) / side - 1) / ZOOM
                    w = (1 - 2 * (row + (s // rays + 0.5) / rays) / side) / ZOOM
                    ahead, dy = np.cos(PITCH) + w * np.sin(PITCH), w * np.cos(PITCH) - np.sin(PITCH)
                    dx, dz = ahead * fx + u * fz, ahead * fz - u * fx
                    length = np.sqrt(dx * dx + dy * dy + dz * dz)
                    # the lamp is a disc, a golden-angle spiral of points: each ray sees one of them
                    far, angle = 0.16 * np.sqrt(((7 * s) % samples + 0.5) / samples), 2.399963 * ((7 * s) % samples)
                    lx, ly, lz = -0.68 + far * np.cos(angle), 1.0, 0.05 + far * np.sin(angle)
                    bright = np.sqrt(lx * lx + ly * ly + lz * lz)
                    surface, light, extra = _shade(
                        shapes[v], scales[v], ox, oy, oz,
                        dx / length, dy / length, dz / length, lx / bright, ly / bright, lz / bright,
                    )  # fmt: skip
                    if surface < 3:
                        total[surface] += light
                        total[3:] += extra
                    else:
                        haze = np.exp(-5 * max(0.0, extra))
                        total[3] += 0.60 + 0.26 * haze
                        total[4] += 0.74 + 0.17 * haze
                        total[5] += 0.88 + 0.08 * haze
                for k in range(6):  # rounded down, so that no sum passes 255
                    views[v, row, column, k] = np.uint8(255 * total[k] / samples)


@compiled()
@no_type_check
def compose(planes, colours, hue, view, images):
    for i in range(len(view)):
        floor, wall, thing = colours[hue[i, 0]], colours[hue[i, 1]], colours[hue[i, 2]]
        plane = planes[view[i]]
        for y in range(images.shape[1]):
            for x in range(images.shape[2]):
                total = np.uint16(128)  # 16 bits hold 255 * 255 and the rounding of / 255
                total = np.uint16(total + plane[0, y, x] * floor[x])
                total = np.uint16(total + plane[1, y, x] * wall[x])
                total = np.uint16(total + plane[2, y, x] * thing[x])
                shade = np.uint16(np.uint16(total + (total >> 8)) >> 8)
                images[i, y, x] = np.uint8(shade + plane[3, y, x])
