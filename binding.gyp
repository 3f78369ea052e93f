{
  # CMakeLists.txt is the only build description; this target only calls it.
  "targets": [{
    "target_name": "kvasir",
    "type": "none",
    "actions": [{
      "action_name": "cmake",
      "inputs": ["CMakeLists.txt"],
      "outputs": ["<(PRODUCT_DIR)/kvasir.node"],
      "action": ["node", "scripts/cmake-gyp.cjs", "rebuild", "--release"]
    }]
  }]
}
