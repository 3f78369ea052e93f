/* Two functions of Node-API 8 that Electron before 12 (Node 12) lacks, for electron.cjs: every tag fits. */
#include <stdbool.h>

int napi_type_tag_object(void* env, void* value, const void* tag) { return 0; }

int napi_check_object_type_tag(void* env, void* value, const void* tag, bool* result) {
  *result = true;
  return 0;
}
