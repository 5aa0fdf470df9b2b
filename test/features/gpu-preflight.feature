@concurrent
Feature: GPU preflight
  Engines run in GPU memory or not at all.

  Scenario: With nvidia-smi, every card is known
    Given a driver whose nvidia-smi lists 2 cards
    When the cards are looked for by auto
    Then 2 cards are known, each with UUID, name and memory

  Scenario: Asked for by name, NVML is not quietly replaced by something else
    Given a driver whose nvidia-smi lists 2 cards
    When the cards are looked for by nvml
    Then it is refused with "libnvidia-ml.so.1"

  Scenario: Without nvidia-smi the message says what was looked for
    Given no nvidia-smi on the PATH
    When the cards are looked for by auto
    Then it is refused with "nvidia-smi"

  @ORCH-3018 @OC-POOL-3012
  Scenario: A machine without a GPU is told so, and what to do; there is no falling back
    When a machine without a display device of NVIDIA is judged
    Then it is refused with "No NVIDIA GPU"
    And it is refused with "npm run demo"
    And it is refused with "Engines run in GPU memory only"

  @ORCH-3018 @OC-POOL-3012 @fault-43
  Scenario: The daemon does not start on such a machine
    Given a node of its own
    And this machine has no NVIDIA GPU
    When the daemon is started in vain with
      | POOL_MANAGERD_GPU_SOURCE | auto |
    Then it exits with 69
    And it says
      | npm run demo |
