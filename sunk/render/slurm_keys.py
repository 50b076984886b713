"""The keys that Slurm 24.11 accepts in slurm.conf and on PartitionName lines.

Source: slurm.conf(5) of 24.11 and the parser's own table. Slurm compares keys without regard to
case; `canonical_key` and `canonical_partition_key` return the manual's spelling.
"""

from __future__ import annotations

_RESERVED_KEYS_TEXT = """
    AccountingStorageBackupHost AccountingStorageHost AccountingStoragePort AccountingStorageType
    AccountingStorageUser AuthAltParameters AuthAltTypes AuthType ClusterName ControlAddr
    ControlMachine CredType DownNodes Include NodeName NodeSet PartitionName SlurmUser
    SlurmctldAddr SlurmctldHost SlurmctldLogFile SlurmctldPidFile SlurmctldPort SlurmdLogFile
    SlurmdPidFile SlurmdPort SlurmdSpoolDir SlurmdUser StateSaveLocation
"""
RESERVED_KEYS = frozenset(_RESERVED_KEYS_TEXT.split())
"""Keys that hold the cluster together: set by us, or a way around what we set."""

MERGED_KEYS = frozenset(
    [
        "AuthInfo",
        "GresTypes",
        "ReconfigFlags",
        "SchedulerParameters",
        "SlurmctldParameters",
        "SlurmdParameters",
    ]
)
"""Keys with a list of options: a description adds to ours instead of replacing the whole list."""

_FREE_KEYS_TEXT = """
    AccountingStorageEnforce AccountingStorageExternalHost AccountingStorageParameters
    AccountingStorageTRES AccountingStoreFlags AcctGatherEnergyType AcctGatherFilesystemType
    AcctGatherInterconnectType AcctGatherNodeFreq AcctGatherProfileType AllowSpecResourcesUsage
    BatchStartTimeout BcastExclude BcastParameters BurstBufferType CliFilterPlugins
    CommunicationParameters CompleteWait CpuFreqDef CpuFreqGovernors DataParserParameters
    DebugFlags DefCpuPerGPU DefMemPerCPU DefMemPerGPU DefMemPerNode DependencyParameters
    DisableRootJobs EioTimeout EnforcePartLimits Epilog EpilogMsgTime EpilogSlurmctld
    FairShareDampeningFactor FederationParameters FirstJobId GetEnvTimeout GpuFreqDef
    GroupUpdateForce GroupUpdateTime HashPlugin HealthCheckInterval HealthCheckNodeState
    HealthCheckProgram InactiveLimit InteractiveStepOptions JobAcctGatherFrequency
    JobAcctGatherParams JobAcctGatherType JobCompHost JobCompLoc JobCompParams JobCompPass
    JobCompPort JobCompType JobCompUser JobContainerType JobFileAppend JobRequeue
    JobSubmitPlugins KillOnBadExit KillWait LaunchParameters Licenses LogTimeFormat MCSParameters
    MCSPlugin MailDomain MailProg MaxArraySize MaxBatchRequeue MaxDBDMsgs MaxJobCount MaxJobId
    MaxMemPerCPU MaxMemPerNode MaxNodeCount MaxStepCount MaxTasksPerNode MessageTimeout MinJobAge
    MpiDefault MpiParams NodeFeaturesPlugins OverTimeLimit PlugStackConfig PrEpParameters
    PrEpPlugins PreemptExemptTime PreemptMode PreemptParameters PreemptType PriorityCalcPeriod
    PriorityDecayHalfLife PriorityFavorSmall PriorityFlags PriorityMaxAge PriorityParameters
    PrioritySiteFactorParameters PrioritySiteFactorPlugin PriorityType PriorityUsageResetPeriod
    PriorityWeightAge PriorityWeightAssoc PriorityWeightFairshare PriorityWeightJobSize
    PriorityWeightPartition PriorityWeightQOS PriorityWeightTRES PrivateData ProctrackType Prolog
    PrologEpilogTimeout PrologFlags PrologSlurmctld PropagatePrioProcess PropagateResourceLimits
    PropagateResourceLimitsExcept RebootProgram RequeueExit RequeueExitHold ResumeFailProgram
    ResumeProgram ResumeRate ResumeTimeout ResvEpilog ResvOverRun ResvProlog ReturnToService
    SchedulerTimeSlice SchedulerType ScronParameters SelectType SelectTypeParameters
    SlurmSchedLogFile SlurmSchedLogLevel SlurmctldDebug SlurmctldPrimaryOffProg
    SlurmctldPrimaryOnProg SlurmctldSyslogDebug SlurmctldTimeout SlurmdDebug SlurmdSyslogDebug
    SlurmdTimeout SrunEpilog SrunPortRange SrunProlog SuspendExcNodes SuspendExcParts
    SuspendExcStates SuspendProgram SuspendRate SuspendTime SuspendTimeout SwitchParameters
    SwitchType TCPTimeout TaskEpilog TaskPlugin TaskPluginParam TaskProlog TmpFS TopologyParam
    TopologyPlugin TrackWCKey TreeWidth UnkillableStepProgram UnkillableStepTimeout UsePAM
    VSizeFactor WaitTime X11Parameters
"""
_FREE_KEYS = frozenset(_FREE_KEYS_TEXT.split())

RESERVED_PARTITION_KEYS = frozenset(["Default", "MaxTime", "Nodes", "PartitionName", "State"])
"""Keys of a partition that have a field of their own in the description."""

_FREE_PARTITION_KEYS_TEXT = """
    AllocNodes AllowAccounts AllowGroups AllowQos Alternate CpuBind DefCpuPerGPU DefMemPerCPU
    DefMemPerGPU DefMemPerNode DefaultTime DenyAccounts DenyQos DisableRootJobs ExclusiveTopo
    ExclusiveUser GraceTime Hidden LLN MaxCPUsPerNode MaxCPUsPerSocket MaxMemPerCPU MaxMemPerNode
    MaxNodes MinNodes OverSubscribe OverTimeLimit PowerDownOnIdle PreemptMode PriorityJobFactor
    PriorityTier QOS ReqResv ResumeTimeout RootOnly SelectTypeParameters SuspendTime
    SuspendTimeout TRESBillingWeights
"""
_FREE_PARTITION_KEYS = frozenset(_FREE_PARTITION_KEYS_TEXT.split())

_KEYS = {key.lower(): key for key in RESERVED_KEYS | MERGED_KEYS | _FREE_KEYS}
_PARTITION_KEYS = {key.lower(): key for key in RESERVED_PARTITION_KEYS | _FREE_PARTITION_KEYS}


def canonical_key(key: str) -> str | None:
    """Return the manual's spelling of a slurm.conf key, or nothing when there is no such key."""
    return _KEYS.get(key.lower())


def canonical_partition_key(key: str) -> str | None:
    """Return the manual's spelling of a PartitionName parameter, or nothing."""
    return _PARTITION_KEYS.get(key.lower())
