// Writes the imports of Node-API for Windows, where a DLL names the program that it gets a function from: node.exe, but
// electron.exe or bun.exe elsewhere. Each function is a jump through a pointer of ours, which is filled from the running
// program when the addon is loaded.
//
//   node scripts/make-node-imports.cjs OUTPUT.cc
const { readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

const { def_paths } = require('node-api-headers')
const names = new Set()
for (const path of [def_paths.js_native_api_def, def_paths.node_api_def])
  for (const [name] of readFileSync(path, 'utf8').matchAll(/^(napi|node_api)_\w+/gm)) names.add(name)

// Electron forbids memory outside its cage, so the calls that would hand it out are not to be had.
const list = [...names].filter((name) => !/^napi_create_external_(arraybuffer|buffer)/.test(name)).sort()
writeFileSync(
  process.argv[2],
  `// Written by ${join('scripts', 'make-node-imports.cjs')}, which explains it.
#include <windows.h>

extern "C" {
${list.map((name) => `void* kvasir_${name};`).join('\n')}
}

#if defined(__x86_64__)
#define FORWARD(name) ".globl " #name "\\n" #name ": jmp *kvasir_" #name "(%rip)\\n"
#else
#define FORWARD(name)                                      \\
  ".globl " #name "\\n" #name ": adrp x16, kvasir_" #name \\
  "\\nldr x16, [x16, :lo12:kvasir_" #name "]\\nbr x16\\n"
#endif
asm(".text\\n"
${list.map((name) => `    FORWARD(${name})`).join('\n')});

namespace {

struct Import {
  const char* name;
  void** pointer;
};
const Import kImports[] = {
${list.map((name) => `    {"${name}", &kvasir_${name}},`).join('\n')}
};

// What this program lacks stays null: a newer function than we call.
const bool kFilled = [] {
  HMODULE program = GetModuleHandleW(nullptr);
  if (!GetProcAddress(program, "napi_create_object")) program = GetModuleHandleW(L"node.dll");
  for (const Import& import : kImports)
    if (program) *import.pointer = reinterpret_cast<void*>(GetProcAddress(program, import.name));
  return program != nullptr;
}();

}  // namespace
`,
)
