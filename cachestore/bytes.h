/* Numbers in bytes: little-endian, at any address. */
#ifndef CACHESTORE_BYTES_H
#define CACHESTORE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void put16(unsigned char *at, uint16_t value) { value = htole16(value); memcpy(at, &value, 2); }
static inline void put32(unsigned char *at, uint32_t value) { value = htole32(value); memcpy(at, &value, 4); }
static inline void put64(unsigned char *at, uint64_t value) { value = htole64(value); memcpy(at, &value, 8); }

static inline uint16_t get16(const unsigned char *at) { uint16_t value; memcpy(&value, at, 2); return le16toh(value); }
static inline uint32_t get32(const unsigned char *at) { uint32_t value; memcpy(&value, at, 4); return le32toh(value); }
static inline uint64_t get64(const unsigned char *at) { uint64_t value; memcpy(&value, at, 8); return le64toh(value); }

#endif
