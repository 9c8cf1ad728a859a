require('node:v8').startupSnapshot.setDeserializeMainFunction(() => {});
